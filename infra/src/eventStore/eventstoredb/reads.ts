import {
  BACKWARDS,
  END,
  type ReadPosition,
  type ResolvedEvent,
  START,
  StreamNotFoundError,
} from '@eventstore/db-client';
import { repeating } from '../../runtime/retry.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type EventStoreDbConnection, isEventStoreDbAway, isInvalidPosition, refusalOf } from './client.ts';
import { numberOf, type PlacedEvent, placed, type WireEvent } from './wire.ts';

/**
 * Plain reads, repeated for a bounded time while the server is away. They ask the leader, so that whoever appended
 * reads what was appended, whichever node the address prefers.
 */
export type EventStoreDbReads = {
  /** Repeats what may be repeated while the server is away. */
  repeat<T>(work: () => Promise<T>): Promise<T>;
  /** Events of one stream from the revision on; none where there is no such stream. */
  stream(stream: string, fromRevision: number, eventsMax: number): Promise<WireEvent[]>;
  streamRevision(stream: string): Promise<number>;
  /** Events beyond the position, those of the server's own streams included. */
  beyond(position: number, eventsMax: number): Promise<{ events: PlacedEvent[]; atEnd: boolean }>;
  /**
   * The event at the position, where there is none the next one; then the page of events before the one that was given
   * last, the newest first, and so on to the beginning. Nothing where the store ends before the position.
   */
  backFrom(position: number): AsyncGenerator<PlacedEvent>;
  /** Position of the last event below this one, or of all; 0 where there is none. */
  lastPosition(below?: bigint): Promise<number>;
};

/** Milliseconds for which a call is repeated while the server is away: longer than a restart takes. */
export const REPEAT_MS = 10_000;
/** A page of a few thousand events is read in far less: the way to the server is broken, and another one is tried. */
const READ_LIMIT_MS = 5_000;
/** Events of a page that is read backwards: beside ours there are few of the server's own. */
const BACK_EVENTS = 32;
const LEADER = { requiresLeader: true } as const;

/** All events up to this one were given: where to go on. */
export const positionAt = (position: number): ReadPosition =>
  position === 0 ? START : { commit: BigInt(position), prepare: BigInt(position) };

export function eventStoreDbReads(options: {
  connection: EventStoreDbConnection;
  runtime: Runtime;
  isClosed: () => boolean;
}): EventStoreDbReads {
  const { connection, runtime, isClosed } = options;

  const repeat = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await repeating(runtime, REPEAT_MS, work, { isOver: isClosed, isTransient: isEventStoreDbAway });
    } catch (error) {
      throw refusalOf(error) ?? error;
    }
  };
  const all = (read: Read): Promise<ResolvedEvent[]> =>
    repeat(() => connection.within(READ_LIMIT_MS, (client) => collected(read(client))));

  const stream = async (read: Read): Promise<ResolvedEvent[]> => {
    try {
      return await all(read);
    } catch (error) {
      if (error instanceof StreamNotFoundError) return [];
      throw error;
    }
  };

  return {
    repeat,
    async stream(name, fromRevision, eventsMax) {
      const from = { ...LEADER, fromRevision: BigInt(Math.max(0, fromRevision)), maxCount: eventsMax };
      const found = await stream((client) => client.readStream(name, from));
      return found.flatMap(({ event }) => event ?? []);
    },
    async streamRevision(name) {
      const last = { ...LEADER, fromRevision: END, direction: BACKWARDS, maxCount: 1 } as const;
      const [found] = await stream((client) => client.readStream(name, last));
      return found?.event ? numberOf(found.event.revision) : -1;
    },
    async beyond(position, eventsMax) {
      // One more tells whether there is more; and reading begins with the event at the position itself.
      const count = position === 0 ? eventsMax + 1 : eventsMax + 2;
      const found = await fromEvent(all, position, count).catch((cause: unknown) => {
        if (!isInvalidPosition(cause)) throw cause;
        throw new RangeError(`the event store has no event at position ${position}`, { cause });
      });
      const events = found.map(placed).filter((each) => each.position > position);
      return { events: events.slice(0, eventsMax), atEnd: found.length < count };
    },
    backFrom: (position) => back(all, position),
    async lastPosition(below) {
      const fromPosition = below === undefined ? END : { commit: below, prepare: below };
      const last = { ...LEADER, fromPosition, direction: BACKWARDS, maxCount: 1 } as const;
      const [found] = await all((client) => client.readAll(last));
      return found ? placed(found).position : 0;
    },
  };
}

type ReadAll = (read: Read) => Promise<ResolvedEvent[]>;

/** From the event at the position on, or from the one just above it. */
function fromEvent(all: ReadAll, position: number, maxCount: number): Promise<ResolvedEvent[]> {
  const readFrom = (start: number) =>
    all((client) => client.readAll({ ...LEADER, fromPosition: positionAt(start), maxCount }));
  return readFrom(position).catch((error: unknown) => {
    if (!isInvalidPosition(error)) throw error;
    return readFrom(position + 1);
  });
}

async function* back(all: ReadAll, position: number): AsyncGenerator<PlacedEvent> {
  const here = await fromEvent(all, position, 1).catch((error: unknown) => {
    if (isInvalidPosition(error)) return [];
    throw error;
  });
  for (let page = here; page.length > 0; ) {
    yield* page.map(placed);
    const fromPosition = positionAt(placed(page.at(-1) as ResolvedEvent).position);
    const earlier = { ...LEADER, fromPosition, direction: BACKWARDS, maxCount: BACK_EVENTS } as const;
    page = await all((client) => client.readAll(earlier));
  }
}

type Client = ReturnType<EventStoreDbConnection['client']>;
type Reading = {
  on(event: 'data', listener: (resolved: ResolvedEvent) => void): unknown;
  on(event: 'end' | 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
};
type Read = (client: Client) => unknown;

/** All that a read gives. A stream that is told to fail twice stays listened to. */
function collected(reading: unknown): Promise<ResolvedEvent[]> {
  return new Promise((resolve, reject) => {
    const found: ResolvedEvent[] = [];
    const stream = reading as Reading;
    stream.on('data', (resolved) => found.push(resolved));
    stream.on('error', reject);
    stream.on('end', () => resolve(found));
  });
}
