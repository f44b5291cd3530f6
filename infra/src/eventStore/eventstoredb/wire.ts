import assert from 'node:assert/strict';
import { jsonEvent, type RecordedEvent, type ResolvedEvent } from '@eventstore/db-client';
import type { Codec, Commit, Recorded } from '../eventStore.ts';

/**
 * The form of an event in EventStoreDB: its type, its data as JSON, and as metadata its other fields beside `commit`, which
 * says to which commit it belongs, and where. Other tools read it like any event of that database.
 */
export type CommitMark = {
  /** The commit's id. */
  id: string;
  /** The event's place in the commit, from 0. */
  index: number;
  /** The number of events in the commit. */
  events: number;
  symbol: string | null;
};

export type WireEvent = RecordedEvent;
export type ProposedEvent = ReturnType<typeof jsonEvent>;

/** The stream that holds the store's id. Readers never get it. */
export const IDENTITY_STREAM = 'store-identity';

/**
 * Bytes of one append that every server accepts: the default limit, less what a server may count beside type, data and
 * metadata. A commit is one append, because two appends are not one durable step.
 */
export const APPEND_BYTES_MAX = 1_048_576 - 16_384;
/** Up to so many characters a commit's bytes are not counted: no text has more than three bytes a character. */
const UNCOUNTED_CHARACTERS_MAX = 131_072;
const BYTES_PER_CHARACTER_MAX = 3;
/** Characters of an event's metadata that are not in the commit's text, at most. */
const MARK_CHARACTERS = 300;

/** A commit as it is sent. `bytesMax` is an upper bound of its size. */
export type ProposedCommit<E> = { commit: Commit<E>; events: ProposedEvent[]; bytesMax: number };

/**
 * The id of a commit's event: the same at every repetition, another one in any other commit. It is the commit's own with the
 * event's place in its third group, and version 8 (RFC 9562 §5.8).
 */
export const eventIdOf = (commitId: string, index: number): string =>
  `${commitId.slice(0, 14)}8${index.toString(16).padStart(3, '0')}${commitId.slice(18)}`;

/** The commit as it is sent. Throws if it is too large for one append. */
export function proposed<E>(commit: Commit<E>, codec: Codec<E>): ProposedCommit<E> {
  const { id, symbol, events, stream } = commit;
  const sent = events.map((event, index) => {
    const { type, data, metadata } = codec.parts(event);
    assert(
      data !== undefined && !('commit' in metadata),
      `${type}: an event has data, and no metadata "commit"`,
    );
    const mark: CommitMark = { id, index, events: events.length, symbol };
    return jsonEvent({
      id: eventIdOf(id, index),
      type,
      data: data as Record<string, unknown>,
      metadata: { ...metadata, commit: mark },
    });
  });
  const characters = (commit.text ?? codec.encode(events)).length + events.length * MARK_CHARACTERS;
  let bytesMax = characters * BYTES_PER_CHARACTER_MAX;
  if (characters > UNCOUNTED_CHARACTERS_MAX) {
    const bytes = sent.reduce((sum, event) => sum + bytesOf(event), 0);
    bytesMax = bytes;
    if (bytes > APPEND_BYTES_MAX) {
      throw new RangeError(
        `a commit of ${bytes} bytes to ${stream} is too large: EventStoreDB takes ${APPEND_BYTES_MAX} in one append. ` +
          'Cut it into several commits.',
      );
    }
  }
  return { commit, events: sent, bytesMax };
}

/** The bytes of an event, as the server counts them. */
const bytesOf = ({ type, data, metadata }: ProposedEvent): number =>
  2 * type.length + Buffer.byteLength(JSON.stringify(data)) + Buffer.byteLength(JSON.stringify(metadata));

/** To which commit an event belongs; null if this adapter did not write it. */
export function markOf({ metadata }: Pick<WireEvent, 'metadata'>): CommitMark | null {
  if (typeof metadata !== 'object' || metadata === null || !('commit' in metadata)) return null;
  const { commit } = metadata as { commit: Partial<CommitMark> | null };
  const isMark =
    typeof commit?.id === 'string' &&
    Number.isSafeInteger(commit.index) &&
    Number.isSafeInteger(commit.events) &&
    (commit.symbol === null || typeof commit.symbol === 'string');
  return isMark ? (commit as CommitMark) : null;
}

/** The event as readers get it. */
export function recorded<E>(
  codec: Codec<E>,
  event: WireEvent,
  mark: CommitMark,
  position: number,
): Recorded<E> {
  const { commit: _mark, ...metadata } = event.metadata as Record<string, unknown>;
  return {
    event: codec.whole({ type: event.type, data: event.data, metadata }),
    stream: event.streamId,
    revision: numberOf(event.revision),
    position,
    commitId: mark.id,
    symbol: mark.symbol,
  };
}

/** A position in the whole store with its event; links, which other tools make, have none. */
export type PlacedEvent = { event: WireEvent | undefined; position: number };

/** The event with its position in the whole store. Each event has a commit position of its own, even within a larger append. */
export function placed({ event, link, commitPosition }: ResolvedEvent): PlacedEvent {
  const position = commitPosition ?? (link ?? event)?.position?.commit;
  assert(position !== undefined, 'the server gives no positions');
  return { event: link ? undefined : event, position: numberOf(position) };
}

/** A position or revision as a number, which is exact up to a log of 9 PB. */
export function numberOf(value: bigint): number {
  const number = Number(value);
  assert(Number.isSafeInteger(number), `not a safe integer: ${value}`);
  return number;
}

/** Whether the stream is one that readers get: not the server's own, nor the one with the store's id. */
export const isReadable = (stream: string): boolean => !stream.startsWith('$') && stream !== IDENTITY_STREAM;
