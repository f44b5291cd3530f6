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
import { type Connection, openConnection, type ServerMessage } from './connection.ts';
import { idSource } from './ids.ts';
import { heardElsewhere, pause } from './mayFail.ts';
import { signIn } from './signIn.ts';

/**
 * A lasting session over WebSockets. When a connection is lost, the session connects and signs in again, resumes every
 * subscription after its last message, and repeats unanswered commands with the same key.
 */
export type Session = {
  /** Subscribes to a channel, across reconnections. Returns the function that ends the subscription. */
  subscribe<C extends Channel>(to: Subject<C>, listener: Listener<C>): () => void;
  place(order: z.input<typeof PlaceOrder>, key?: string): Promise<Outcome<views.OrderView>>;
  /** Places up to fifty orders in one request. Each has a result of its own; some may be worth repeating alone. */
  placeMany(
    orders: readonly { order: z.input<typeof PlaceOrder>; key?: string }[],
  ): Promise<Outcome<views.OrderResultsView>>;
  amend(orderId: string, change: AmendOrder, key?: string): Promise<Outcome<views.OrderChangeView>>;
  cancel(orderId: string, key?: string): Promise<Outcome<views.OrderChangeView>>;
  cancelAll(filter?: CancelOrders, key?: string): Promise<Outcome<views.OrderCancelsView>>;
  /** How many connections were opened, and how many were lost. */
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
   * The subscription has begun, at first or after a reconnection, and the channel is at this sequence. The next messages
   * follow it, or (`resumed`) the last message before.
   */
  subscribed?(sequence: number | null, resumed: boolean): void;
  /** Messages are missing: a listener that folds them must begin again. */
  missed?(reason: ResyncReason): void;
  /** The subscription was refused: there is no such symbol, or nobody is signed in. */
  refused?(code: string): void;
};

export type SessionOptions = {
  /** The HTTP API of the same server. Both share positions, so that its queries reflect the session's commands. */
  api: Pick<Api, 'queryUrl' | 'positions'>;
  /**
   * Returns an access token that is valid for another minute. Without it, only public channels work. When the server
   * refuses the token, commands and private channels are refused until this returns another one.
   */
  token?: () => Promise<string>;
  /** How long a command is repeated before its outcome counts as unknown. */
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
  let nextConnection = promisedConnection();
  /** Why there is no connection, for commands that waited for one in vain. */
  let failure = 'it has not been opened yet';
  let reconnectAfterMs = 0;
  let [opened, lost] = [0, 0];

  const onMessage = (message: ServerMessage) => {
    if (message.type === 'serverShutdown') {
      reconnectAfterMs = message.reconnect_after_ms;
      return;
    }
    const subscription = subscriptions.get(keyOf(message));
    if (!subscription) return;
    if (message.type === 'data') {
      // The first message after a resumption covers a range of sequences, which may begin before the last message.
      const isRepeated = subscription.last !== null && message.sequence <= subscription.last;
      if (isRepeated && RESUMABLE.includes(message.channel)) return;
      subscription.last = message.sequence;
      subscription.listener.data(message.data as never, message.sequence);
    } else if (message.type === 'resync') {
      // The last message may be of another store, whose sequences do not compare with these.
      if (message.reason !== 'slow_consumer') subscription.last = null;
      subscription.listener.missed?.(message.reason);
    }
    if (message.type === 'ended' && message.reason === 'unavailable') subscribeLater(subscription);
  };
  /** Subscribes again in a moment: what is unavailable now may be available then. */
  const subscribeLater = (entry: Subscription) => {
    setTimeout(() => {
      if (current && subscriptions.get(keyOf(entry.subject)) === entry) begin(current, entry);
    }, RESUBSCRIBE_MS).unref();
  };
  const begin = (connection: Connection, subscription: Subscription): void => {
    const { subject, listener, last } = subscription;
    const after = RESUMABLE.includes(subject.channel) && last !== null ? { after: last } : {};
    const onReply = ({ result, error }: StreamReply) => {
      if (subscriptions.get(keyOf(subject)) !== subscription) return;
      if (!error) {
        const [channel] = (result as SubscribeResult).subscriptions;
        listener.subscribed?.(channel?.sequence ?? null, 'after' in after);
      } else if (worthRepeating(error.status, error)) subscribeLater(subscription);
      else listener.refused?.(error.code);
    };
    // If the connection is lost, the next one begins the subscription again.
    heardElsewhere(connection.request('subscribe', { subscriptions: [{ ...subject, ...after }] }, onReply));
  };
  const connect = async (): Promise<void> => {
    for (let attempts = 1; !stopping.signal.aborted; attempts++) {
      let connection: Connection | undefined;
      try {
        const loss = Promise.withResolvers<string>();
        connection = await openConnection({ url, onMessage, onLost: loss.resolve });
        opened += 1;
        await person.begin(connection);
        current = connection;
        nextConnection.resolve(connection);
        attempts = 0;
        if (stopping.signal.aborted) connection.drop();
        for (const subscription of subscriptions.values()) begin(connection, subscription);
        failure = await loss.promise;
        lost += 1;
      } catch (error) {
        failure = (error as Error).message;
      }
      person.end();
      if (current) nextConnection = promisedConnection();
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
          current ?? (await withinTime(nextConnection.promise, deadline - performance.now(), () => failure));
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
      const subscription = { subject, listener: listener as unknown as Listener<Channel>, last: null };
      const key = keyOf(subject);
      if (subscriptions.has(key)) throw new Error(`${key} is subscribed to already`);
      subscriptions.set(key, subscription);
      if (current) begin(current, subscription);
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
      nextConnection.reject(new Error('the session is closed'));
      current?.drop();
    },
  };
}

/** A promise of the next connection, for commands that wait for one. Often none does. */
function promisedConnection() {
  const next = Promise.withResolvers<Connection>();
  heardElsewhere(next.promise);
  return next;
}

type CommandMethod = 'place_order' | 'place_orders' | 'amend_order' | 'cancel_order' | 'cancel_orders';

/** The outcome of a command; null when it is worth repeating. */
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

async function withinTime<T>(promise: Promise<T>, ms: number, reason: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`there is no connection: ${reason()}`)), Math.max(0, ms));
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
