import type { AllStreamResolvedEvent, AllStreamSubscription } from '@eventstore/db-client';
import type { Log } from '../../runtime/log.ts';
import { errorsHeardElsewhere, heardElsewhere } from '../../runtime/mayFail.ts';
import { type Runtime, sleep } from '../../runtime/runtime.ts';
import type { Codec, Filter, Page, Recorded } from '../eventStore.ts';
import { type EventStoreDbConnection, isInvalidPosition } from './client.ts';
import { type ServerExpression, serverFilter, wantedOf } from './filter.ts';
import { type EventStoreDbReads, positionAt } from './reads.ts';
import { placed, type WireEvent } from './wire.ts';

/**
 * Pages for a reader that is far behind and wants few of the events: a subscription whose filter the server applies
 * (plain reads know none). It stays open between two pages, held back by the reader's pace, and is found again by
 * what is wanted and where the last page ended.
 *
 * A checkpoint is a place in the log, not an event's position, and only the latter may be given away: the last event
 * before the checkpoint is looked up, for a page that found nothing else.
 */
export type EventStoreDbCatchUp<E> = {
  /** The next page; null when nothing came from the server in time: read plainly. */
  page(want: Wanted): Promise<Page<E> | null>;
  close(): void;
};

type Wanted = {
  after: number;
  filters: readonly Filter[];
  expression: Exclude<ServerExpression, 'nothing'>;
  eventsMax: number;
};

/** Events that wait for the reader in one subscription. */
const BUFFER_EVENTS = 256;
/** A page that finds little ends after this long, so that its reader tells where it stands. */
const PAGE_MS = 500;
/** Without a word for so long the subscription is dead, or the server too old to say that the end is reached. */
const SILENCE_MS = 2_000;
/** A subscription whose reader does not come back is ended. */
const IDLE_MS = 5_000;
const SESSIONS_MAX = 16;

export function eventStoreDbCatchUp<E>(options: {
  connection: EventStoreDbConnection;
  reads: EventStoreDbReads;
  codec: Codec<E>;
  runtime: Runtime;
  log?: Log | undefined;
  onStrange: (event: WireEvent) => void;
}): EventStoreDbCatchUp<E> {
  const { connection, reads, codec, runtime, log, onStrange } = options;
  /** Those between two pages, by what is wanted and where they stand. */
  const idle = new Map<string, { session: Session; cancel: () => void }>();
  let closed = false;

  const keyOf = ({ filters }: Wanted, position: number) => `${position} ${JSON.stringify(filters)}`;

  const keep = (key: string, session: Session) => {
    discard(key);
    for (const oldest of idle.size >= SESSIONS_MAX ? idle.keys().take(1) : []) discard(oldest);
    idle.set(key, { session, cancel: runtime.setTimer(IDLE_MS, () => discard(key)) });
    if (closed) discard(key);
  };
  const take = (key: string): Session | undefined => {
    const kept = idle.get(key);
    kept?.cancel();
    idle.delete(key);
    return kept?.session;
  };
  const discard = (key: string) => take(key)?.end();

  const page = async (want: Wanted): Promise<Page<E> | null> => {
    const { after, filters, expression, eventsMax } = want;
    const session = take(keyOf(want, after)) ?? (await begin(connection, reads, expression, after));
    const isWanted = wantedOf(filters, codec, onStrange);
    const untilMs = runtime.monotonicMs() + PAGE_MS;
    const events: Recorded<E>[] = [];
    let position = after;
    const paused = () => {
      keep(keyOf(want, position), session);
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
          // Everything that stood in the store when the subscription began was looked through.
          session.end();
          return { events, position: Math.max(position, session.head), atEnd: false };
        }
        if ('checkpoint' in item) {
          if (runtime.monotonicMs() < untilMs) continue;
          position = Math.max(position, await reads.lastPosition(item.checkpoint));
          if (position > after) return paused();
          continue;
        }
        const found = placed(item);
        position = found.position;
        const event = isWanted(found);
        if (event) events.push(event);
        if (events.length === eventsMax) return paused();
      }
    } catch (error) {
      session.end();
      throw error;
    }
  };

  return {
    async page(want) {
      try {
        return await reads.repeat(() => page(want));
      } catch (error) {
        if (isInvalidPosition(error)) return null;
        throw error;
      }
    },
    close() {
      closed = true;
      for (const key of idle.keys()) discard(key);
    },
  };
}

type Item = AllStreamResolvedEvent | { checkpoint: bigint } | 'caught up';
type Session = Awaited<ReturnType<typeof begin>>;

/** A subscription as a queue of what it tells, in order. */
async function begin(
  connection: EventStoreDbConnection,
  reads: EventStoreDbReads,
  expression: Exclude<ServerExpression, 'nothing'>,
  after: number,
) {
  const head = await reads.lastPosition();
  // What is told beside the events takes its place among them.
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
  // It may fail more than once, and while nobody listens.
  errorsHeardElsewhere(subscription);
  const items = (subscription as unknown as AsyncIterable<Item>)[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<Item>> | null = null;

  return {
    /** Of the store, before the subscription began. */
    head,
    async next(runtime: Runtime, silenceMs: number): Promise<Item | 'silence'> {
      pending ??= items.next();
      heardElsewhere(pending);
      const waking = new AbortController();
      const silence = sleep(runtime, silenceMs, waking.signal).then(() => 'silence' as const);
      const told = await Promise.race([pending, silence]);
      waking.abort();
      if (told === 'silence') return told;
      pending = null;
      return told.done ? 'silence' : told.value;
    },
    end(): void {
      heardElsewhere(subscription.unsubscribe());
      subscription.destroy();
    },
  };
}
