import { accountStream, type Subscribe } from '@brokerx/contracts';
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
import { type CommandMethod, commandRequest, isCommand } from './commandRequests.ts';
import { type Outbox, outbox, type Socket } from './outbox.ts';
import { ownOrders } from './ownOrders.ts';
import { type Misunderstood, type Request, readRequest } from './requests.ts';
import { type SignIn, signIn } from './signIn.ts';
import {
  closeAll,
  endOwn,
  giveRoom,
  type Subscriptions,
  subscribe,
  subscriptionsOver,
  unsubscribe,
} from './subscriptions.ts';

/**
 * One client's WebSocket, from its first message to its end: reads requests, answers them, and keeps the subscriptions.
 * It is in one of three modes:
 * - *serving*: from the beginning on. Every request is answered.
 * - *stopping*: the server stops. Requests under way are answered, new ones are refused, and subscriptions go on.
 * - *closed*: from either mode, once the socket has closed. Subscriptions have ended, and nothing goes out any more.
 */
export type Connection = {
  message(text: string): void;
  /** Announces that the server stops; resolves when every request under way is answered. */
  shutDown(): Promise<void>;
  /** The socket has closed. */
  closed(): void;
  stats(): { subscriptions: number; requests: number };
};

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
/** Unanswered requests of one connection: more than a market maker sends to move all its quotes. */
const IN_FLIGHT_MAX = 256;
/** Messages of one connection in a second. */
export const MESSAGES_PER_SECOND_MAX = 2_000;
/** Milliseconds over which the clients of a server that stops spread their reconnects. */
const RECONNECT_MS_MAX = 2_000;

/** One connection. */
type State = {
  mode: 'serving' | 'stopping' | 'closed';
  readonly deps: ConnectionDeps;
  readonly out: Outbox;
  readonly subscriptions: Subscriptions;
  readonly signedIn: SignIn;
  /** Requests under way. */
  readonly answering: Set<Promise<void>>;
  /** The second of the newest message, by the monotonic clock, and the messages in it. */
  second: number;
  messages: number;
};

export function connection(
  socket: Socket,
  deps: ConnectionDeps,
  close: (reason: string) => void,
): Connection {
  const out = outbox({ ...deps, socket, cutOff: () => close('slow_consumer') });
  const subscriptions = subscriptionsOver(out);
  const state: State = {
    mode: 'serving',
    deps,
    out,
    subscriptions,
    signedIn: signIn({ ...deps, onEnd: (reason) => endOwn(subscriptions, reason) }),
    answering: new Set(),
    second: 0,
    messages: 0,
  };
  out.onRoom(() => giveRoom(subscriptions));
  return {
    message: (text) => takeMessage(state, text),
    shutDown: () => shutDown(state),
    closed: () => closed(state),
    stats: () => ({ subscriptions: subscriptions.open.size, requests: state.answering.size }),
  };
}

function takeMessage(state: State, text: string): void {
  const request = readRequest(text);
  const problem = messageRefusal(state, request);
  if (problem || 'problem' in request) {
    if (problem) reply(state, request.id, { error: problemBody(problem) });
    return;
  }
  const { answering } = state;
  const answered: Promise<void> = carryOut(state, request).finally(() => answering.delete(answered));
  answering.add(answered);
}

async function shutDown(state: State): Promise<void> {
  if (state.mode === 'serving') state.mode = 'stopping';
  const { out, deps, answering } = state;
  const reconnect_after_ms = Math.round(((deps.runtime.randomBytes(1)[0] ?? 0) / 255) * RECONNECT_MS_MAX);
  out.reply(JSON.stringify({ type: 'serverShutdown', reconnect_after_ms }));
  await Promise.all(answering);
}

function closed(state: State): void {
  state.mode = 'closed';
  state.signedIn.close();
  state.out.close();
  closeAll(state.subscriptions);
}

/** Why a message is refused before any work is done for it; null: it is not. */
function messageRefusal(state: State, request: Request | Misunderstood): Problem | null {
  const second = Math.floor(state.deps.runtime.monotonicMs() / 1_000);
  if (second !== state.second) {
    state.second = second;
    state.messages = 0;
  }
  state.messages += 1;
  if (state.messages > MESSAGES_PER_SECOND_MAX) {
    return refused('REQUEST_LIMIT', `at most ${MESSAGES_PER_SECOND_MAX} messages a second`);
  }
  if ('problem' in request) return request.problem;
  if (state.mode !== 'serving') return refused('UNAVAILABLE', 'the server stops: connect again');
  if (state.answering.size < IN_FLIGHT_MAX) return null;
  return refused('OVERLOADED', `at most ${IN_FLIGHT_MAX} requests of a connection are answered at a time`);
}

async function carryOut(state: State, request: Request): Promise<void> {
  try {
    await answer(state, request);
  } catch (error) {
    const problem = toProblem(problemOf(error));
    if (problem.status === 500) {
      state.deps.log.error({ err: error, method: request.method }, 'unexpected error');
    }
    const status = isCommand(request.method) ? { status: problem.status } : {};
    reply(state, request.id, { ...status, error: problemBody(problem) });
  }
}

/** Answers a request; what it throws or rejects with becomes the reply. Only what has to wait makes a promise. */
function answer(state: State, request: Request): Promise<void> | void {
  const { id } = request;
  switch (request.method) {
    case 'authenticate':
      return authenticate(state, id, request.params.token);
    case 'ping':
      return reply(state, id, { result: {} });
    case 'subscribe':
      return openChannels(state, id, request.params.subscriptions);
    case 'unsubscribe':
      unsubscribe(state.subscriptions, request.params.subscriptions);
      return reply(state, id, { result: {} });
    default:
      return sendCommand(state, request);
  }
}

async function authenticate(state: State, id: Request['id'], token: string): Promise<void> {
  const actor = await state.signedIn.renew(token);
  const { clientId: client_id, accountId: account_id, roles, expiresAtMs } = actor;
  const expires_at = new Date(expiresAtMs).toISOString();
  reply(state, id, { result: { client_id, account_id, roles, expires_at } });
}

async function openChannels(state: State, id: Request['id'], requests: readonly Subscribe[]): Promise<void> {
  const [result, begin] = await subscribe(state.subscriptions, requests, (request, to) =>
    openChannel(state, request, to),
  );
  reply(state, id, { result });
  begin();
}

async function openChannel(state: State, request: Subscribe, to: Sink): Promise<OpenChannel> {
  const { deps } = state;
  if (request.channel !== 'orders') return deps.channels.open(request as PublicSubscription, to);
  const { actor } = mustBeSignedIn(state);
  if (!EVERY_ROLE.some((role) => actor.roles.includes(role))) throw refused('FORBIDDEN');
  const revision = await deps.store.streamRevision(accountStream(actor.accountId));
  if (revision === NO_STREAM) throw refused('ACCOUNT_NOT_FOUND');
  return ownOrders({ ...deps, accountId: actor.accountId, after: request.after, revision, to });
}

/** Forwards the command under the client's own sign-in, and its answer as it came. */
async function sendCommand(
  state: State,
  request: Extract<Request, { method: CommandMethod }>,
): Promise<void> {
  const { actor, token } = mustBeSignedIn(state);
  const { address, commands } = state.deps;
  const by = { address, accountId: actor.accountId };
  const { status, text, position, replayed } = await commands.send(commandRequest(request), token, by);
  const body = text === '' ? {} : (JSON.parse(text) as unknown);
  reply(state, request.id, {
    status,
    ...(position === undefined ? {} : { position }),
    ...(replayed ? { replayed } : {}),
    ...(status < 300 ? { result: body } : { error: body }),
  });
}

function mustBeSignedIn({ signedIn }: State) {
  const current = signedIn.current();
  if (!current) throw refused('UNAUTHENTICATED', 'Send `authenticate` with an access token first.');
  return current;
}

function reply({ out }: State, id: Request['id'] | null, content: object): void {
  out.reply(JSON.stringify({ type: 'reply', id, ...content }));
}
