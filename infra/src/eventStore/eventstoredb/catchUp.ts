import type { AllStreamResolvedEvent, AllStreamSubscription } from '@eventstore/db-client';
import type { Log } from '../../runtime/log.ts';
import { errorsHeardElsewhere, heardElsewhere } from '../../runtime/mayFail.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { withinTime } from '../../runtime/waiting.ts';
import type { Codec, Filter, Page, Recorded } from '../eventStore.ts';
import { type EventStoreDbConnection, isInvalidPosition } from './client.ts';
import { type ServerExpression, serverFilter, wantedOf } from './filter.ts';
import { type EventStoreDbReads, positionAt } from './reads.ts';
import { placed, type WireEvent } from './wire.ts';

/**
 * Pages for a reader that is far behind and wants few of the events. They come from a subscription, because the server applies
 * filters to subscriptions but not to plain reads. The subscription stays open between two pages, at the reader's pace, and
 * is found again by its filters and the position at which the last page ended.
 *
 * A checkpoint is a place in the log, not an event's position, and readers only get the latter: a page without events looks
 * up the last event before the checkpoint.
 */
export type EventStoreDbCatchUp<E> = {
  /** The next page; null if the server sent nothing in time: then use a plain read. */
  page(request: PageRequest): Promise<Page<E> | null>;
  close(): void;
};

type PageRequest = {
  after: number;
  filters: readonly Filter[];
  expression: Exclude<ServerExpression, 'nothing'>;
  eventsMax: number;
};

type CatchUpOptions<E> = {
  connection: EventStoreDbConnection;
  reads: EventStoreDbReads;
  codec: Codec<E>;
  runtime: Runtime;
  log?: Log | undefined;
  /** Called with an event in one of our streams that BrokerX did not write. */
  onStrange: (event: WireEvent) => void;
};

/** Events of one subscription that wait for the reader. */
const BUFFER_EVENTS = 256;
/** Milliseconds after which a page with few events ends, so that the reader's position advances. */
const PAGE_MS = 500;
/** Milliseconds without an item after which a subscription is dead, or the server too old to report that it caught up. */
const SILENCE_MS = 2_000;
/** Milliseconds after which a subscription ends whose reader does not return. */
const IDLE_MS = 5_000;
/** Subscriptions that wait for their reader. Beyond it the oldest one ends. */
const SESSIONS_MAX = 16;

export function eventStoreDbCatchUp<E>(options: CatchUpOptions<E>): EventStoreDbCatchUp<E> {
  const { reads, runtime } = options;
  const idleSessions = sessionsBetweenPages(runtime);
  return {
    async page(request) {
      try {
        return await reads.repeat(() => readPage(options, idleSessions, request));
      } catch (error) {
        if (isInvalidPosition(error)) return null;
        throw error;
      }
    },
    close: () => idleSessions.close(),
  };
}

async function readPage<E>(
  { connection, reads, codec, runtime, log, onStrange }: CatchUpOptions<E>,
  idleSessions: IdleSessions,
  request: PageRequest,
): Promise<Page<E> | null> {
  const { after, filters, expression, eventsMax } = request;
  const session =
    idleSessions.take(sessionKey(request, after)) ?? (await begin(connection, reads, expression, after));
  const isWanted = wantedOf(filters, codec, onStrange);
  const untilMs = runtime.monotonicMs() + PAGE_MS;
  const events: Recorded<E>[] = [];
  let position = after;
  const endPage = () => {
    idleSessions.keep(sessionKey(request, position), session);
    return { events, position, atEnd: false };
  };
  try {
    for (;;) {
      const item = await session.next(runtime, SILENCE_MS);
      if (item === 'silence') {
        log?.debug({ after: position, ...expression }, 'a catching-up subscription fell silent');
        session.end();
        return position > after ? { events, position, atEnd: false } : null;
      }
      if (item === 'caught up') {
        // The subscription has gone through everything that was in the store when it began.
        session.end();
        return { events, position: Math.max(position, session.head), atEnd: false };
      }
      if ('checkpoint' in item) {
        if (runtime.monotonicMs() < untilMs) continue;
        position = Math.max(position, await reads.lastPosition(item.checkpoint));
        if (position > after) return endPage();
        continue;
      }
      const placedEvent = placed(item);
      position = placedEvent.position;
      const event = isWanted(placedEvent);
      if (event) events.push(event);
      if (events.length === eventsMax) return endPage();
    }
  } catch (error) {
    session.end();
    throw error;
  }
}

type IdleSessions = ReturnType<typeof sessionsBetweenPages>;

/** The key under which the next page finds its subscription. */
const sessionKey = ({ filters }: PageRequest, position: number): string =>
  `${position} ${JSON.stringify(filters)}`;

/** Subscriptions between two pages, by key. Each ends after a while without its reader. */
function sessionsBetweenPages(runtime: Runtime) {
  const entries = new Map<string, { session: Session; cancelTimer: () => void }>();
  let isClosed = false;

  const take = (key: string): Session | undefined => {
    const entry = entries.get(key);
    entry?.cancelTimer();
    entries.delete(key);
    return entry?.session;
  };
  const discard = (key: string) => take(key)?.end();

  return {
    take,
    keep(key: string, session: Session): void {
      discard(key);
      for (const oldest of entries.size >= SESSIONS_MAX ? entries.keys().take(1) : []) discard(oldest);
      entries.set(key, { session, cancelTimer: runtime.setTimer(IDLE_MS, () => discard(key)) });
      if (isClosed) discard(key);
    },
    close(): void {
      isClosed = true;
      for (const key of entries.keys()) discard(key);
    },
  };
}

type Item = AllStreamResolvedEvent | { checkpoint: bigint } | 'caught up';
type Session = Awaited<ReturnType<typeof begin>>;

/** Begins a subscription, and returns it as one queue of its events and notifications, in order. */
async function begin(
  connection: EventStoreDbConnection,
  reads: EventStoreDbReads,
  expression: Exclude<ServerExpression, 'nothing'>,
  after: number,
) {
  const head = await reads.lastPosition();
  // The notifications take their place among the events of the same queue.
  const insert = (item: Item) => void (subscription as unknown as { push(item: Item): void }).push(item);
  const subscription: AllStreamSubscription = connection.client().subscribeToAll(
    {
      fromPosition: positionAt(after),
      filter: serverFilter(expression, ({ commit }) => insert({ checkpoint: commit })),
      requiresLeader: true,
    },
    { highWaterMark: BUFFER_EVENTS },
  );
  subscription.on('caughtUp', () => insert('caught up'));
  // The subscription may emit several errors, also while no page is being read.
  errorsHeardElsewhere(subscription);
  const items = (subscription as unknown as AsyncIterable<Item>)[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<Item>> | null = null;

  return {
    /** The store's head before the subscription began. */
    head,
    async next(runtime: Runtime, silenceMs: number): Promise<Item | 'silence'> {
      pending ??= items.next();
      heardElsewhere(pending);
      const result = await withinTime(runtime, silenceMs, pending, () => 'silence' as const);
      if (result === 'silence') return result;
      pending = null;
      return result.done ? 'silence' : result.value;
    },
    end(): void {
      heardElsewhere(subscription.unsubscribe());
      subscription.destroy();
    },
  };
}
