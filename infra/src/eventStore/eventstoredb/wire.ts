import assert from 'node:assert/strict';
import { jsonEvent, type RecordedEvent, type ResolvedEvent } from '@eventstore/db-client';
import type { Codec, Commit, Recorded } from '../eventStore.ts';
import { derivedId } from './derivedId.ts';

/**
 * What an event looks like in EventStoreDB: its type, its data as JSON, and as metadata the rest of it beside
 * `commit`, which says where in which commit it belongs. Other tools read it as any event of that database.
 */
export type CommitMark = {
  /** The commit's id. */
  id: string;
  /** The event's place in it, from 0. */
  index: number;
  /** How many events it has. */
  events: number;
  symbol: string | null;
};

export type WireEvent = RecordedEvent;
export type ProposedEvent = ReturnType<typeof jsonEvent>;

/** Holds the store's own id. No reader is given it. */
export const IDENTITY_STREAM = 'store-identity';

/**
 * Bytes of one append that every server takes: its default limit, less what it may count beside type, data and
 * metadata. A commit is one append, because two are not one durable step.
 */
export const APPEND_BYTES_MAX = 1_048_576 - 16_384;
/** Below it a commit's size is not looked at more closely: no text has more bytes than three times its characters. */
const CERTAINLY_SMALL_CHARACTERS = 131_072;
const BYTES_OF_CHARACTER_MOST = 3;
/** More than what an event's metadata has beside what is in the commit's text. */
const MARK_CHARACTERS = 300;

/** A commit as it is sent. */
export type ProposedCommit<E> = { commit: Commit<E>; events: ProposedEvent[]; bytesAtMost: number };

/** The id of a commit's event: the same at every repetition, another one in any other commit. */
export const eventIdOf = (commitId: string, index: number): string => derivedId(commitId, String(index));

/** Throws where the commit is too large for one append. */
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
  let bytesAtMost = characters * BYTES_OF_CHARACTER_MOST;
  if (characters > CERTAINLY_SMALL_CHARACTERS) {
    const bytes = sent.reduce((sum, event) => sum + bytesOf(event), 0);
    bytesAtMost = bytes;
    if (bytes > APPEND_BYTES_MAX) {
      throw new RangeError(
        `a commit of ${bytes} bytes to ${stream} is too large: EventStoreDB takes ${APPEND_BYTES_MAX} in one append. ` +
          'Cut it into several commits.',
      );
    }
  }
  return { commit, events: sent, bytesAtMost };
}

/** As the server counts. */
const bytesOf = ({ type, data, metadata }: ProposedEvent): number =>
  2 * type.length + Buffer.byteLength(JSON.stringify(data)) + Buffer.byteLength(JSON.stringify(metadata));

/** What an event says of its commit; null where it was not written by this adapter. */
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

/** An event of the whole store; links, which other tools make, are places without one. */
export type PlacedEvent = { event: WireEvent | undefined; position: number };

/** Where the event lies in the whole store: an event's commit position is its own, also within a larger append. */
export function placed({ event, link, commitPosition }: ResolvedEvent): PlacedEvent {
  const position = commitPosition ?? (link ?? event)?.position?.commit;
  assert(position !== undefined, 'the server gives no positions');
  return { event: link ? undefined : event, position: numberOf(position) };
}

/** Positions and revisions are numbers here: a log of 9 PB is beyond them. */
export function numberOf(value: bigint): number {
  const number = Number(value);
  assert(Number.isSafeInteger(number), `not a safe integer: ${value}`);
  return number;
}

/** Whether the stream is one of ours rather than of the server. */
export const isGiven = (stream: string): boolean => !stream.startsWith('$') && stream !== IDENTITY_STREAM;
