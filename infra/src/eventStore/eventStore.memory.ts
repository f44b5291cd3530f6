import assert from 'node:assert/strict';
import { assertAppendable, previousOnStream } from './appendable.ts';
import {
  type Codec,
  type Commit,
  commitMatcher,
  type EventStore,
  type Filter,
  filtersOf,
  type Landmark,
  matcher,
  NO_STREAM,
  type Page,
  type Recorded,
  type Verdict,
} from './eventStore.ts';

/**
 * The event store in memory, for unit tests and simulation: the same rules without durability. It keeps events as the
 * codec's text, so that no caller can change a stored event through a reference of its own.
 */
export function memoryEventStore<E>({ id, codec }: { id: string; codec: Codec<E> }): EventStore<E> {
  const rows: Row[] = [];
  const streams = new Map<string, Row[]>();
  const listeners = new Set<() => void>();
  const head = () => rows.at(-1)?.lastPosition ?? 0;
  const actualRevision = (stream: string) => lastRevision(streams.get(stream)?.at(-1));

  const place = (commit: Commit<E>, body: string): Verdict => {
    const { stream, expectedRevision } = commit;
    if (actualRevision(stream) === expectedRevision) {
      const row = {
        id: commit.id,
        stream,
        symbol: commit.symbol,
        body,
        events: commit.events.length,
        revision: expectedRevision + 1,
        lastPosition: head() + commit.events.length,
      };
      rows.push(row);
      streams.set(stream, [...(streams.get(stream) ?? []), row]);
      return { verdict: 'ok', revision: lastRevision(row), position: row.lastPosition };
    }
    const stored = streams.get(stream)?.find((row) => row.revision === expectedRevision + 1);
    if (stored?.id === commit.id && stored.events === commit.events.length) {
      return { verdict: 'duplicate', revision: lastRevision(stored), position: stored.lastPosition };
    }
    return { verdict: 'conflict', actualRevision: actualRevision(stream) };
  };

  return {
    id,
    codec,
    textOf: (commit) => codec.pack(commit.id, commit.events),
    async append(commits) {
      assertAppendable(commits);
      const bodies = commits.map(({ id, events, text }) => text ?? codec.pack(id, events));
      const before = head();
      const verdicts: Verdict[] = [];
      const previous = previousOnStream(commits);
      commits.forEach((commit, i) => {
        const link = commit.chained ? verdicts[(previous[i] ?? 0) - 1]?.verdict : undefined;
        const isBroken = link === 'conflict' || link === 'broken-chain';
        verdicts.push(isBroken ? { verdict: 'broken-chain' } : place(commit, bodies[i] ?? ''));
      });
      if (head() > before) for (const listener of listeners) queueMicrotask(listener);
      return verdicts;
    },
    async readStream(stream, fromRevision, eventsMax) {
      assert(eventsMax > 0);
      const events: Recorded<E>[] = [];
      for (const row of streams.get(stream) ?? []) {
        if (events.length >= eventsMax) break;
        if (lastRevision(row) < fromRevision) continue;
        events.push(...recorded(codec, row).filter(({ revision }) => revision >= fromRevision));
      }
      return events.slice(0, eventsMax);
    },
    async streamRevision(stream) {
      return actualRevision(stream);
    },
    async readAll(after, filter, eventsMax) {
      assert(eventsMax > 0);
      return page(codec, rows, { after, filter, eventsMax });
    },
    async head() {
      return head();
    },
    landmark: async (position) => landmarkAt(rows, position),
    onAppend(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: async () => listeners.clear(),
  };
}

type Row = {
  id: string;
  stream: string;
  symbol: string | null;
  body: string;
  /** How many events the commit has. */
  events: number;
  /** The first event's. */
  revision: number;
  lastPosition: number;
};

const lastRevision = (row: Row | undefined) => (row ? row.revision + row.events - 1 : NO_STREAM);

function page<E>(
  codec: Codec<E>,
  rows: readonly Row[],
  { after, filter, eventsMax }: { after: number; filter: Filter | readonly Filter[]; eventsMax: number },
): Page<E> {
  const events: Recorded<E>[] = [];
  const head = rows.at(-1)?.lastPosition ?? 0;
  const isWanted = matcher(filter, codec);
  const mayHold = filtersOf(filter).map((each) => {
    const marks = each.types && codec.marksOf(each.types);
    const matchesCommit = commitMatcher(each);
    return (row: Row) => matchesCommit(row) && (!marks || marks.some((mark) => row.body.includes(mark)));
  });
  for (let i = firstBeyond(rows, after); i < rows.length; i++) {
    const row = rows[i];
    if (!row || !mayHold.some((may) => may(row))) continue;
    for (const event of recorded(codec, row)) {
      if (event.position <= after || !isWanted(event)) continue;
      if (events.length === eventsMax) {
        const position = events.at(-1)?.position ?? after;
        return { events, position, atEnd: false };
      }
      events.push(event);
    }
  }
  return { events, position: Math.max(after, head), atEnd: true };
}

function landmarkAt(rows: readonly Row[], position: number): Landmark | null {
  const row = position > 0 ? rows[firstBeyond(rows, position - 1)] : undefined;
  return row ? { position, commitId: row.id } : null;
}

/** Index of the first row whose last event lies beyond the position. */
function firstBeyond(rows: readonly Row[], position: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle]?.lastPosition ?? 0) > position) high = middle;
    else low = middle + 1;
  }
  return low;
}

function recorded<E>(codec: Codec<E>, row: Row): Recorded<E>[] {
  const firstPosition = row.lastPosition - row.events + 1;
  return codec.unpack(row.body, row.id).map((event, i) => ({
    event,
    stream: row.stream,
    revision: row.revision + i,
    position: firstPosition + i,
    commitId: row.id,
    symbol: row.symbol,
  }));
}
