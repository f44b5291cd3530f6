import type { Event } from '@brokerx/contracts';
import type { Codec, FetchedMessage, Landmark, OutgoingMessage, Recorded } from '@brokerx/infra';

/** The messages of the topics, as docs/topics.md describes them for every reader. */

/** The sender of messages: the relay of this epoch, of this store. */
export type Sender = { storeId: string; epoch: number };

/** The event's text exactly as a commit of the store has it, there as an item of a JSON array. */
export function textOf(codec: Codec<Event>, event: Event): string {
  return codec.encode([event]).slice(1, -1);
}

export function eventMessage(
  { event, stream, revision, position, commitId, symbol }: Recorded<Event>,
  text: string,
  { partition, key }: { partition: number; key: string },
  { storeId, epoch }: Sender,
): OutgoingMessage {
  return {
    partition,
    key,
    value: text,
    headers: {
      id: event.id,
      type: event.type,
      position: String(position),
      stream,
      revision: String(revision),
      commit: commitId,
      symbol: symbol ?? '',
      store: storeId,
      epoch: String(epoch),
      traceparent: event.traceparent,
    },
    timestamp: String(Date.parse(event.time)),
  };
}

/** States that the partition has every event up to the position; `landmark` is the last event sent to any partition. */
export function watermark(
  partition: number,
  position: number,
  landmark: Landmark | null,
  { storeId, epoch }: Sender,
  nowMs: number,
): OutgoingMessage {
  return {
    partition,
    key: null,
    value: '',
    headers: {
      type: WATERMARK,
      position: String(position),
      store: storeId,
      epoch: String(epoch),
      ...(landmark ? { last: `${landmark.position}:${landmark.commitId}` } : {}),
    },
    timestamp: String(nowMs),
  };
}

/** The landmark of a message: its own event, or the one that a watermark names. */
export function landmarkOf({ position, commit, last }: FetchedMessage['headers']): Landmark | null {
  const [at = '', commitId = ''] = commit ? [position, commit] : (last?.split(':') ?? []);
  return /^\d{1,15}$/.test(at) && commitId !== '' ? { position: Number(at), commitId } : null;
}

const WATERMARK = 'watermark';

/** Marks a message of an incomplete partition: a reader that needs every event reads the store. */
export const incomplete = (message: OutgoingMessage): OutgoingMessage => ({
  ...message,
  headers: { ...message.headers, withheld: '1' },
});

/** The most bytes that a message takes in a request. */
export function bytesOf({ key, value, headers }: OutgoingMessage): number {
  let bytes = MESSAGE_OVERHEAD_BYTES + Buffer.byteLength(value) + Buffer.byteLength(key ?? '');
  for (const name in headers) bytes += HEADER_OVERHEAD_BYTES + name.length + (headers[name]?.length ?? 0);
  return bytes;
}

/** Bytes of a record's lengths, offset and time, and of a header's lengths, in their longest form. */
const MESSAGE_OVERHEAD_BYTES = 40;
const HEADER_OVERHEAD_BYTES = 6;
