import { accountStream, type Subscribe, type SubscribeResult, type Unsubscribe } from '@brokerx/contracts';
import { NO_STREAM, type Runtime, type SessionEnds } from '@brokerx/infra';
import type { TokenVerifier } from '@brokerx/infra/auth/tokenVerifier.ts';
import { type Problem, problemBody } from '@brokerx/infra/http/problem.ts';
import { toProblem } from '@brokerx/infra/http/problems.ts';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import { EVERY_ROLE } from '../http/actor.ts';
import { refused } from '../http/problems.ts';
import type { LiveEvents } from '../live/liveEvents.ts';
import type { AccountQuotas } from '../reading/clientQuotas.ts';
import type { EventReader } from '../reading/eventReader.ts';
import { problemOf } from '../reading/problemOf.ts';
import type { Channels, OpenChannel, PublicSubscription } from '../streams/channels.ts';
import type { Sink } from '../streams/sink.ts';
import type { CommandApi } from './commandApi.ts';
import { commandRequest, isCommand } from './commandRequests.ts';
import { type Outbox, outbox, type Socket } from './outbox.ts';
import { ownOrders } from './ownOrders.ts';
import { places } from './places.ts';
import { type Misunderstood, type Request, readRequest } from './requests.ts';
import { signIn } from './signIn.ts';
import { type Subscription, subscription } from './subscription.ts';

/** What all connections of a process work with, and the address of this one. */
export type ConnectionDeps = {
  store: EventReader;
  live: LiveEvents;
  channels: Channels;
  verifier: TokenVerifier;
  sessions: Pick<SessionEnds, 'onEnd'>;
  /** The client's IP address. */
  address: string;
  /** How many connections each account may have. */
  accounts: AccountQuotas;
  commands: Pick<CommandApi, 'send'>;
  runtime: Runtime;
  log: Log;
  bufferBytesMax?: number | undefined;
};
/**
 * One client's WebSocket, from its first message to its end: reads requests, answers them, and keeps the subscriptions.
 */
export type Connection = {
  message(text: string): void;
  /** Announces that the server stops; resolves when every request under way is answered. */
  shutDown(): Promise<void>;
  /** The socket has closed. */
  closed(): void;
  stats(): { subscriptions: number; requests: number };
};

/** Twice what a large screen has. */
export const SUBSCRIPTIONS_MAX = 500;
/** Unanswered requests of one connection: more than a market maker sends to move all its quotes. */
const IN_FLIGHT_MAX = 256;
/** Messages of one connection in a second. */
export const MESSAGES_PER_SECOND_MAX = 2_000;
/** Milliseconds over which the clients of a server that stops spread their reconnects. */
const RECONNECT_MS_MAX = 2_000;

export function connection(
  socket: Socket,
  deps: ConnectionDeps,
  close: (reason: string) => void,
): Connection {
  const { runtime, log, channels, commands } = deps;
  const out: Outbox = outbox({ ...deps, socket, cutOff: () => close('slow_consumer') });
  const subscriptions = new Map<string, Subscription>();
  /** Subscriptions that need a sign-in. */
  const own = new Set<Subscription>();
  const room = places(subscriptions, SUBSCRIPTIONS_MAX);
  const answering = new Set<Promise<void>>();
  let stopping = false;
  let isClosed = false;
  let second = 0;
  let messages = 0;

  const signedIn = signIn({
    ...deps,
    onEnd(reason) {
      const open = new Set(subscriptions.values());
      for (const each of own) {
        if (open.has(each)) each.end(reason);
        else each.close();
      }
    },
  });
  out.onRoom(() => {
    for (const each of subscriptions.values()) each.room();
  });

  const reply = (id: Request['id'] | null, answer: object) =>
    out.reply(JSON.stringify({ type: 'reply', id, ...answer }));
  const refuse = (id: Request['id'] | null, problem: Problem) => reply(id, { error: problemBody(problem) });

  const mustBeSignedIn = () => {
    const current = signedIn.current();
    if (!current) throw refused('UNAUTHENTICATED', 'Send `authenticate` with an access token first.');
    return current;
  };

  const open = async (request: Subscribe, to: Sink): Promise<OpenChannel> => {
    if (request.channel !== 'orders') return channels.open(request as PublicSubscription, to);
    const { actor } = mustBeSignedIn();
    if (!EVERY_ROLE.some((role) => actor.roles.includes(role))) throw refused('FORBIDDEN');
    const revision = await deps.store.streamRevision(accountStream(actor.accountId));
    if (revision === NO_STREAM) throw refused('ACCOUNT_NOT_FOUND');
    return ownOrders({ ...deps, accountId: actor.accountId, after: request.after, revision, to });
  };
  /** Opens all channels of a request, or none; the function of the result starts them, once the reply is sent. */
  const subscribe = async (requests: readonly Subscribe[]): Promise<[SubscribeResult, () => void]> => {
    const byKey = new Map(requests.map((request) => [keyOf(request), request]));
    const leave = room.claim(byKey.keys());
    if (!leave) throw refused('TOO_MANY_SUBSCRIPTIONS');
    const opened: { key: string; subject: Unsubscribe; channel: OpenChannel; candidate: Subscription }[] = [];
    const candidates: Subscription[] = [];
    try {
      for (const [key, request] of byKey) {
        const { channel, symbol, interval } = request;
        const subject = { channel, symbol, interval };
        const candidate: Subscription = subscription(subject, out, () => {
          own.delete(candidate);
          if (subscriptions.get(key) === candidate) subscriptions.delete(key);
        });
        candidates.push(candidate);
        if (channel === 'orders') own.add(candidate);
        opened.push({ key, subject, candidate, channel: await open(request, candidate.sink) });
        if (isClosed) throw refused('UNAVAILABLE', 'the connection is over');
      }
      if (candidates.some(({ sink }) => sink.ended.aborted))
        throw refused('UNAUTHENTICATED', 'the sign-in is over');
      // A channel that the client subscribes to again begins anew.
      for (const { key, candidate } of opened) {
        subscriptions.get(key)?.close();
        subscriptions.set(key, candidate);
      }
    } catch (error) {
      for (const candidate of candidates) candidate.close();
      throw error;
    } finally {
      leave();
    }
    const result = {
      subscriptions: opened.map(({ subject, channel }) => ({ ...subject, sequence: channel.sequence() })),
    };
    return [result, () => opened.forEach(({ channel }) => channel.begin())];
  };

  const answer = async (request: Request): Promise<void> => {
    const { id } = request;
    switch (request.method) {
      case 'authenticate': {
        const actor = await signedIn.renew(request.params.token);
        const { clientId: client_id, accountId: account_id, roles, expiresAtMs } = actor;
        const expires_at = new Date(expiresAtMs).toISOString();
        return reply(id, { result: { client_id, account_id, roles, expires_at } });
      }
      case 'ping':
        return reply(id, { result: {} });
      case 'subscribe': {
        const [result, begin] = await subscribe(request.params.subscriptions);
        reply(id, { result });
        return begin();
      }
      case 'unsubscribe':
        for (const each of request.params.subscriptions) subscriptions.get(keyOf(each))?.close();
        return reply(id, { result: {} });
      default: {
        const { actor, token } = mustBeSignedIn();
        const by = { address: deps.address, accountId: actor.accountId };
        const { status, text, position, replayed } = await commands.send(commandRequest(request), token, by);
        const body = text === '' ? {} : (JSON.parse(text) as unknown);
        return reply(id, {
          status,
          ...(position === undefined ? {} : { position }),
          ...(replayed ? { replayed } : {}),
          ...(status < 300 ? { result: body } : { error: body }),
        });
      }
    }
  };
  const carryOut = async (request: Request): Promise<void> => {
    try {
      await answer(request);
    } catch (error) {
      const problem = toProblem(problemOf(error));
      if (problem.status === 500) log.error({ err: error, method: request.method }, 'unexpected error');
      const status = isCommand(request.method) ? { status: problem.status } : {};
      reply(request.id, { ...status, error: problemBody(problem) });
    }
  };
  /** Why a message is refused before any work is done for it; null: it is not. */
  const messageRefusal = (request: Request | Misunderstood): Problem | null => {
    const now = Math.floor(runtime.monotonicMs() / 1_000);
    if (now !== second) [second, messages] = [now, 0];
    messages += 1;
    if (messages > MESSAGES_PER_SECOND_MAX) {
      return refused('REQUEST_LIMIT', `at most ${MESSAGES_PER_SECOND_MAX} messages a second`);
    }
    if ('problem' in request) return request.problem;
    if (stopping) return refused('UNAVAILABLE', 'the server stops: connect again');
    if (answering.size < IN_FLIGHT_MAX) return null;
    return refused('OVERLOADED', `at most ${IN_FLIGHT_MAX} requests of a connection are answered at a time`);
  };

  return {
    message(text) {
      const request = readRequest(text);
      const problem = messageRefusal(request);
      if (problem || 'problem' in request) {
        if (problem) refuse(request.id, problem);
        return;
      }
      const answer: Promise<void> = carryOut(request).finally(() => answering.delete(answer));
      answering.add(answer);
    },
    async shutDown() {
      stopping = true;
      const reconnect_after_ms = ((runtime.randomBytes(1)[0] ?? 0) / 255) * RECONNECT_MS_MAX;
      out.reply(
        JSON.stringify({ type: 'serverShutdown', reconnect_after_ms: Math.round(reconnect_after_ms) }),
      );
      await Promise.all(answering);
    },
    stats: () => ({ subscriptions: subscriptions.size, requests: answering.size }),
    closed() {
      isClosed = true;
      signedIn.close();
      out.close();
      for (const each of subscriptions.values()) each.close();
    },
  };
}

const keyOf = ({ channel, symbol, interval }: Unsubscribe): string => `${channel} ${symbol} ${interval}`;
