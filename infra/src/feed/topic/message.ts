import type { Recorded } from '../../eventStore/eventStore.ts';
import type { FetchedMessage } from '../../kafka/fetch.ts';

/** A message of a topic as the relay writes it (docs/topics.md): an event, or a watermark. */
export type TopicMessage = {
  /** Of the store that the position is of. */
  storeId: string;
  /** Of the relay that wrote it: a later relay has a higher one. */
  epoch: number;
  /** Everything of this partition up to here was sent before, or is this message itself. */
  position: number;
  /** False where the relay has withheld something of this partition: then the position promises nothing. */
  isWhole: boolean;
  /** Null: a watermark, which says no more than that. */
  event: TopicEvent | null;
};

export type TopicEvent = Omit<Recorded<unknown>, 'event'> & {
  /** The codec's text of this one event. */
  text: Buffer;
};

/** What a message says; null where it is none of the relay's. */
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
