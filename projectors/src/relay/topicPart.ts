import type { OutgoingMessage } from '@brokerx/infra';

/** The part of a batch that goes out in one request. */
export type Part = {
  /** The messages by topic. */
  messages: Map<string, OutgoingMessage[]>;
  /** The last position for each slot that gets a message. */
  lastOf: Map<number, number>;
  traceparents: string[];
  count: number;
  /** Bytes of the events' messages: a request has room for its watermarks beside them. */
  bytes: number;
};

/**
 * Bounds of one request: some 20 ms of a broker's work, and memory for this request and the next. The time in which kafkajs joins
 * the messages of a partition grows with the square of their number; at this number it is 1 ms.
 */
export const SEND_MESSAGES_MAX = 2_000;
const SEND_BYTES_MAX = 1024 * 1024;
/** Bytes of a request to one partition beside its messages: the batch's head, and a watermark. */
export const BATCH_OVERHEAD_BYTES = 1_024;

/** Bytes of the largest part, where a partition accepts requests of `messageBytesMax`. */
export const partBytesMaxOf = (messageBytesMax: number): number =>
  Math.min(SEND_BYTES_MAX, messageBytesMax - BATCH_OVERHEAD_BYTES);

export const emptyPart = (): Part => ({
  messages: new Map(),
  lastOf: new Map(),
  traceparents: [],
  count: 0,
  bytes: 0,
});

export function addMessage(
  part: Part,
  slot: number,
  topic: string,
  message: OutgoingMessage,
  position: number,
): void {
  const messages = part.messages.get(topic);
  if (messages) messages.push(message);
  else part.messages.set(topic, [message]);
  part.lastOf.set(slot, position);
  part.count += 1;
}
