import { setTimeout as delay } from 'node:timers/promises';
import {
  type AmendOrder,
  type CancelOrders,
  type Channel,
  type ChannelData,
  mintId,
  type PlaceOrder,
  RESUMABLE,
  type ResyncReason,
  type StreamReply,
  type SubscribeResult,
  type views,
} from '@brokerx/contracts';
import type { z } from 'zod';
import type { Api, Outcome } from './api.ts';
import { backOff, worthRepeating } from './backOff.ts';
import { type Connection, openConnection, type Told } from './connection.ts';
import { idSource } from './ids.ts';
import { heardElsewhere, pause } from './mayFail.ts';
import { signIn } from './signIn.ts';

/**
 * A WebSocket that lasts: it connects again when it is lost, signs in again, goes on with every subscription behind the
 * last message, and asks again with the same key for what was not answered.
 */
export type Session = {
  /** Hears the channel from now on, over every reconnection; returns the function that ends it. */
  subscribe<C extends Channel>(to: Subject<C>, listener: Listener<C>): () => void;
  place(order: z.input<typeof PlaceOrder>, key?: string): Promise<Outcome<views.OrderView>>;
  /** Up to fifty in one request, each with a result of its own; some may be worth repeating alone. */
  placeMany(
    orders: readonly { order: z.input<typeof PlaceOrder>; key?: string }[],
  ): Promise<Outcome<views.OrderResultsView>>;
  amend(orderId: string, change: AmendOrder, key?: string): Promise<Outcome<views.OrderChangeView>>;
  cancel(orderId: string, key?: string): Promise<Outcome<views.OrderChangeView>>;
  cancelAll(filter?: CancelOrders, key?: string): Promise<Outcome<views.OrderCancelsView>>;
  /** How often a connection was opened, and how often one was lost. */
  stats(): { opened: number; lost: number };
  close(): void;
};
export type Subject<C extends Channel = Channel> = {
  channel: C;
  symbol?: string;
  interval?: views.CandleInterval;
};
export type Listener<C extends Channel> = {
  data(data: ChannelData[C], sequence: number): void;
  /**
   * The channel stands at this sequence, at first and after each reconnection. What comes lies behind it, or (`resumed`)
   * behind the last message before.
   */
  subscribed?(sequence: number | null, resumed: boolean): void;
  /** Messages are missing: whoever folds them begins anew. */
  missed?(reason: ResyncReason): void;
  /** It cannot be subscribed to: there is no such symbol, or nobody is signed in. */
  refused?(code: string): void;
};

export type SessionOptions = {
  /** Whose WebSocket it is: what is asked there after a command reflects it, whichever way the command went. */
  api: Pick<Api, 'queryUrl' | 'positions'>;
  /**
   * An access token that is good for another minute; absent: public channels alone. Where the server refuses it, commands
   * are refused and channels of a person, too, until another one is given.
   */
  token?: () => Promise<string>;
  /** How long a command is repeated before its outcome is called unknown. */
  patienceMs?: number;
};

const PATIENCE_MS = 60_000;
const RECONNECT_MAX_MS = 2_000;
const RESUBSCRIBE_MS = 500;

type Subscription = {
  subject: Subject;
  listener: Listener<Channel>;
  /** Sequence of the last message; null before the first. */
  last: number | null;
};

export function openSession(options: SessionOptions): Session {
  const { api, token, patienceMs = PATIENCE_MS } = options;
  const url = `${api.queryUrl.replace(/^http/, 'ws')}/v1/ws`;
  const subscriptions = new Map<string, Subscription>();
  const stopping = new AbortController();
  let current: Connection | null = null;
  const person = signIn(token);
  let arrived = arrival();
  /** Why there is no connection: told where a command has waited for one in vain. */
  let failure = 'it has not been opened yet';
  let reconnectAfterMs = 0;
  let [opened, lost] = [0, 0];

  const told = (message: Told) => {
    if (message.type === 'serverShutdown') {
      reconnectAfterMs = message.reconnect_after_ms;
      return;
    }
    const its = subscriptions.get(keyOf(message));
    if (!its) return;
    if (message.type === 'data') {
      // Resumed where messages cover a range, the first one may reach back.
      const isKnown = its.last !== null && message.sequence <= its.last;
      if (isKnown && RESUMABLE.includes(message.channel)) return;
      its.last = message.sequence;
      its.listener.data(message.data as never, message.sequence);
    } else if (message.type === 'resync') {
      // What was had before may lie in another store, where sequences are others.
      if (message.reason !== 'slow_consumer') its.last = null;
      its.listener.missed?.(message.reason);
    }
    if (message.type === 'ended' && message.reason === 'unavailable') again(its);
  };
  /** A moment later: what is unavailable now need not be then. */
  const again = (its: Subscription) => {
    setTimeout(() => {
      if (current && subscriptions.get(keyOf(its.subject)) === its) begin(current, its);
    }, RESUBSCRIBE_MS).unref();
  };
  const begin = (connection: Connection, its: Subscription): void => {
    const { subject, listener, last } = its;
    const after = RESUMABLE.includes(subject.channel) && last !== null ? { after: last } : {};
    const answered = ({ result, error }: StreamReply) => {
      if (subscriptions.get(keyOf(subject)) !== its) return;
      if (!error) {
        const [channel] = (result as SubscribeResult).subscriptions;
        listener.subscribed?.(channel?.sequence ?? null, 'after' in after);
      } else if (worthRepeating(error.status, error)) again(its);
      else listener.refused?.(error.code);
    };
    // Where the connection is lost, the next one begins it.
    heardElsewhere(connection.request('subscribe', { subscriptions: [{ ...subject, ...after }] }, answered));
  };
  const connect = async (): Promise<void> => {
    for (let attempts = 1; !stopping.signal.aborted; attempts++) {
      let connection: Connection | undefined;
      try {
        const over = Promise.withResolvers<string>();
        connection = await openConnection({ url, told, lost: over.resolve });
        opened += 1;
        await person.begin(connection);
        current = connection;
        arrived.resolve(connection);
        attempts = 0;
        if (stopping.signal.aborted) connection.drop();
        for (const its of subscriptions.values()) begin(connection, its);
        failure = await over.promise;
        lost += 1;
      } catch (error) {
        failure = (error as Error).message;
      }
      person.end();
      if (current) arrived = arrival();
      connection?.drop();
      current = null;
      const waitMs = Math.max(reconnectAfterMs, Math.min(RECONNECT_MAX_MS, backOff(attempts)));
      reconnectAfterMs = 0;
      await pause(waitMs, stopping.signal);
    }
  };

  const command = async <T>(method: CommandMethod, params: object): Promise<Outcome<T>> => {
    const deadline = performance.now() + patienceMs;
    for (let attempts = 1; ; attempts++) {
      let error: string;
      try {
        const connection =
          current ?? (await inTime(arrived.promise, deadline - performance.now(), () => failure));
        const refusal = await person.refusal(connection);
        if (refusal) return { kind: 'refused', ...refusal, attempts };
        const reply = await connection.request(method, params);
        api.positions.note(person.signedInWith(), reply.position);
        const outcome = outcomeOf<T>(reply, attempts);
        if (outcome) return outcome;
        error = `${reply.status} ${reply.error?.code}`;
      } catch (cause) {
        error = (cause as Error).message;
      }
      const pauseMs = backOff(attempts);
      if (stopping.signal.aborted || performance.now() + pauseMs > deadline) {
        return { kind: 'unknown', error, attempts };
      }
      await delay(pauseMs);
    }
  };
  const keyed = (key = mintId(idSource)) => ({ idempotency_key: key });

  void connect();
  return {
    subscribe(subject, listener) {
      const its = { subject, listener: listener as unknown as Listener<Channel>, last: null };
      const key = keyOf(subject);
      if (subscriptions.has(key)) throw new Error(`${key} is subscribed to already`);
      subscriptions.set(key, its);
      if (current) begin(current, its);
      return () => {
        if (!subscriptions.delete(key)) return;
        if (current) heardElsewhere(current.request('unsubscribe', { subscriptions: [subject] }));
      };
    },
    place: (order, key) => command('place_order', { ...keyed(key), order }),
    placeMany: (orders) =>
      command('place_orders', { orders: orders.map(({ order, key }) => ({ ...keyed(key), order })) }),
    amend: (order_id, change, key) => command('amend_order', { ...keyed(key), order_id, change }),
    cancel: (order_id, key) => command('cancel_order', { ...keyed(key), order_id }),
    cancelAll: (filter = { all: true }, key) => command('cancel_orders', { ...keyed(key), filter }),
    stats: () => ({ opened, lost }),
    close() {
      stopping.abort();
      subscriptions.clear();
      person.end();
      arrived.reject(new Error('the session is closed'));
      current?.drop();
    },
  };
}

/** Of the next connection, for commands that wait for one; nobody need wait. */
function arrival() {
  const next = Promise.withResolvers<Connection>();
  heardElsewhere(next.promise);
  return next;
}

type CommandMethod = 'place_order' | 'place_orders' | 'amend_order' | 'cancel_order' | 'cancel_orders';

/** Null: it is worth asking again. */
function outcomeOf<T>({ status = 0, result, error, position, replayed }: StreamReply, attempts: number) {
  if (!error) {
    const ok: Outcome<T> = {
      kind: 'ok',
      status,
      body: result as T,
      position,
      replayed: replayed ?? false,
      attempts,
    };
    return ok;
  }
  if (worthRepeating(error.status, error)) return null;
  return { kind: 'refused', status: error.status, code: error.code, body: error, attempts } as Outcome<T>;
}

async function inTime<T>(promise: Promise<T>, ms: number, whyNot: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`there is no connection: ${whyNot()}`)), Math.max(0, ms));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const keyOf = ({
  channel,
  symbol,
  interval,
}: {
  channel: Channel;
  symbol?: string | undefined;
  interval?: unknown;
}) => [channel, symbol, interval].filter((part) => part !== undefined).join(' ');
