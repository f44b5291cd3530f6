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
 * Plain reads, repeated for a bounded time while the server is away. They are sent to the leader, so that a process reads what
 * it has appended, whichever node the address prefers.
 */
export type EventStoreDbReads = {
  /** Repeats work while the server is away. Only for work that may be done twice. */
  repeat<T>(work: () => Promise<T>): Promise<T>;
  /** Events of one stream from the revision on; none if there is no such stream. */
  stream(stream: string, fromRevision: number, eventsMax: number): Promise<WireEvent[]>;
  streamRevision(stream: string): Promise<number>;
  /** Events after the position, including those of the server's own streams. */
  after(position: number, eventsMax: number): Promise<{ events: PlacedEvent[]; atEnd: boolean }>;
  /**
   * The event at the position, or the next one if there is none; then the events before it, newest first, down to the first
   * one of the store. Nothing if the store ends before the position.
   */
  backFrom(position: number): AsyncGenerator<PlacedEvent>;
  /** Position of the last event below this position, or of all events; 0 if there is none. */
  lastPosition(below?: bigint): Promise<number>;
};

/** Milliseconds for which a call is repeated while the server is away: longer than a restart takes. */
export const REPEAT_MS = 10_000;
/** Milliseconds for one read. A page of a few thousand events takes far less: beyond that, a new connection is tried. */
const READ_LIMIT_MS = 5_000;
/** Events of a page that is read backwards, to find one of ours: there are few of the server's own among them. */
const BACKWARD_PAGE_EVENTS = 32;
const LEADER = { requiresLeader: true } as const;

/** Where a reader goes on that has all events up to this position. */
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
  const readEvents = (read: Read): Promise<ResolvedEvent[]> =>
    repeat(() => connection.within(READ_LIMIT_MS, (client) => collect(read(client))));

  const readStream = async (read: Read): Promise<ResolvedEvent[]> => {
    try {
      return await readEvents(read);
    } catch (error) {
      if (error instanceof StreamNotFoundError) return [];
      throw error;
    }
  };

  return {
    repeat,
    async stream(name, fromRevision, eventsMax) {
      const from = { ...LEADER, fromRevision: BigInt(Math.max(0, fromRevision)), maxCount: eventsMax };
      const resolved = await readStream((client) => client.readStream(name, from));
      return resolved.flatMap(({ event }) => event ?? []);
    },
    async streamRevision(name) {
      const last = { ...LEADER, fromRevision: END, direction: BACKWARDS, maxCount: 1 } as const;
      const [lastEvent] = await readStream((client) => client.readStream(name, last));
      return lastEvent?.event ? numberOf(lastEvent.event.revision) : -1;
    },
    async after(position, eventsMax) {
      // One more event shows whether there are more; and a read begins with the event at the position itself.
      const count = position === 0 ? eventsMax + 1 : eventsMax + 2;
      const resolved = await readFromEvent(readEvents, position, count).catch((cause: unknown) => {
        if (!isInvalidPosition(cause)) throw cause;
        throw new RangeError(`the event store has no event at position ${position}`, { cause });
      });
      const events = resolved.map(placed).filter((each) => each.position > position);
      return { events: events.slice(0, eventsMax), atEnd: resolved.length < count };
    },
    backFrom: (position) => readBack(readEvents, position),
    async lastPosition(below) {
      const fromPosition = below === undefined ? END : { commit: below, prepare: below };
      const last = { ...LEADER, fromPosition, direction: BACKWARDS, maxCount: 1 } as const;
      const [lastEvent] = await readEvents((client) => client.readAll(last));
      return lastEvent ? placed(lastEvent).position : 0;
    },
  };
}

type ReadAll = (read: Read) => Promise<ResolvedEvent[]>;

/** Reads from the event at the position on, or, if none begins there, from the one just above it. */
function readFromEvent(readEvents: ReadAll, position: number, maxCount: number): Promise<ResolvedEvent[]> {
  const readFrom = (start: number) =>
    readEvents((client) => client.readAll({ ...LEADER, fromPosition: positionAt(start), maxCount }));
  return readFrom(position).catch((error: unknown) => {
    if (!isInvalidPosition(error)) throw error;
    return readFrom(position + 1);
  });
}

async function* readBack(readEvents: ReadAll, position: number): AsyncGenerator<PlacedEvent> {
  const firstPage = await readFromEvent(readEvents, position, 1).catch((error: unknown) => {
    if (isInvalidPosition(error)) return [];
    throw error;
  });
  for (let page = firstPage; page.length > 0; ) {
    yield* page.map(placed);
    const fromPosition = positionAt(placed(page.at(-1) as ResolvedEvent).position);
    const earlier = {
      ...LEADER,
      fromPosition,
      direction: BACKWARDS,
      maxCount: BACKWARD_PAGE_EVENTS,
    } as const;
    page = await readEvents((client) => client.readAll(earlier));
  }
}

type Client = ReturnType<EventStoreDbConnection['client']>;
type EventStream = {
  on(event: 'data', listener: (resolved: ResolvedEvent) => void): unknown;
  on(event: 'end' | 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
};
type Read = (client: Client) => unknown;

/** Collects all events of a read. The listener for errors stays, because a stream may emit several. */
function collect(reading: unknown): Promise<ResolvedEvent[]> {
  return new Promise((resolve, reject) => {
    const events: ResolvedEvent[] = [];
    const stream = reading as EventStream;
    stream.on('data', (resolved) => events.push(resolved));
    stream.on('error', reject);
    stream.on('end', () => resolve(events));
  });
}
