import type { Recorded } from '../../eventStore/eventStore.ts';
import type { FetchedMessage } from '../../kafka/fetch.ts';

/** A message of a topic as the relay writes it (docs/topics.md): an event, or a watermark. */
export type TopicMessage = {
  /** The event store's id, without which the position means nothing. */
  storeId: string;
  /** The epoch of the relay that wrote the message: a later relay has a higher one. */
  epoch: number;
  /** The partition now holds every one of its events up to and including this position. */
  position: number;
  /** False while the relay withholds an event of this partition: then `position` promises nothing. */
  isWhole: boolean;
  /** Null in a watermark, which only reports the position. */
  event: TopicEvent | null;
};

export type TopicEvent = Omit<Recorded<unknown>, 'event'> & {
  /** The codec's text of this one event. */
  text: Buffer;
};

/** Parses a message; null if the relay did not write it. */
export function parseTopicMessage({
  value,
  headers,
}: Pick<FetchedMessage, 'value' | 'headers'>): TopicMessage | null {
  const { store: storeId, stream, symbol, commit: commitId = '' } = headers;
  const epoch = number(headers.epoch);
  const position = number(headers.position);
  if (!storeId || epoch === null || position === null) return null;
  const message = { storeId, epoch, position, isWhole: headers.withheld === undefined };
  if (headers.type === WATERMARK) return { ...message, event: null };
  const revision = number(headers.revision);
  if (!value || !stream || revision === null) return null;
  return { ...message, event: { text: value, stream, revision, position, commitId, symbol: symbol || null } };
}

const WATERMARK = 'watermark';

function number(text: string | undefined): number | null {
  return text !== undefined && DIGITS.test(text) ? Number(text) : null;
}

const DIGITS = /^\d{1,15}$/;
