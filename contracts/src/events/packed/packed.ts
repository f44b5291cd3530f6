import { beginsTrace, eventIdOf, traceparentOf } from '../../base/ids.ts';
import type { Envelope } from '../envelope.ts';
import { fieldsOfData } from './fields.ts';
import { type RecordForm, recordForm } from './record.ts';

/**
 * The form in which a store of texts keeps a commit: a JSON array that begins with `FORM`, and holds values without their
 * names. What the events have in common stands once, and what follows from the commit's id does not stand there.
 *
 * - `[0, time, actor, correlationId, causationId, traceparent]`: the cause of the events that follow. For the last two, 0
 *   stands for the correlation id, and for the trace that begins with it.
 * - `["OrderPlaced.v1", 0, …]`: an event, as its type and the packed record of its data (`record.ts`). Its id is that of its
 *   place in the commit.
 * - `{"key": …}`: further fields of the envelope of the event that follows.
 * - `{"id": …, "type": …}`: a whole event: one with other fields than are known, or an id of another kind.
 *
 * A text that begins with a whole event is of the older form, an array of whole events, and is read for ever.
 */
const FORM = 2;

const forms: ReadonlyMap<string, RecordForm> = new Map(
  Object.entries(fieldsOfData).map(([type, fields]) => [type, recordForm(fields)]),
);

type Key = NonNullable<Envelope['key']>;
type Further = { key: Key };
type CauseItem = [
  0,
  time: string,
  actor: string,
  correlation: string,
  causation: string | 0,
  trace: string | 0,
];
type EventItem = [type: string, ...record: unknown[]];
type Item = typeof FORM | CauseItem | EventItem | Further | Envelope;

export function pack(commitId: string, events: readonly Envelope[]): string {
  const items: Item[] = [FORM];
  let cause: Envelope | null = null;
  for (let index = 0; index < events.length; index++) {
    const event = events[index] as Envelope;
    const item = event.id === eventIdOf(commitId, index) ? eventItem(event) : null;
    if (item === null) {
      items.push(event);
      continue;
    }
    if (cause === null || !hasSameCause(cause, event)) items.push(causeItem(event));
    cause = event;
    if (event.key) items.push({ key: event.key });
    items.push(item);
  }
  return JSON.stringify(items);
}

/** The events of a text of either form, as they were packed. */
export function unpack(text: string, commitId: string): Envelope[] {
  const items = JSON.parse(text) as Item[];
  if (items[0] !== FORM) return items as Envelope[];
  const events: Envelope[] = [];
  let cause: CauseItem | null = null;
  let key: Key | undefined;
  for (let i = 1; i < items.length; i++) {
    const item = items[i] as Exclude<Item, number>;
    if (!Array.isArray(item)) {
      if ('type' in item) events.push(item);
      else key = item.key;
    } else if (item[0] === 0) {
      cause = item as CauseItem;
    } else if (cause !== null) {
      events.push(eventOf(item as EventItem, eventIdOf(commitId, events.length), cause, key));
      key = undefined;
    }
  }
  return events;
}

function eventOf(item: EventItem, id: string, cause: CauseItem, key: Key | undefined): Envelope {
  const type = item[0];
  const [, time, actor, correlationId, causation, trace] = cause;
  const causationId = causation === 0 ? correlationId : causation;
  const traceparent = trace === 0 ? traceparentOf(correlationId) : trace;
  const form = forms.get(type);
  if (!form) throw new Error(`${type}: an event that this version does not know is stored here`);
  const data = form.unpack(item, 1);
  return key === undefined
    ? { id, type, time, actor, correlationId, causationId, traceparent, data }
    : { id, type, time, actor, correlationId, causationId, traceparent, key, data };
}

/** Null if unpacking would not give the same text again. */
function eventItem(event: Envelope): EventItem | null {
  if (!hasKnownEnvelope(event)) return null;
  const item: EventItem = [event.type];
  const form = forms.get(event.type);
  return form?.pack(event.data as Record<string, unknown>, item) ? item : null;
}

const hasSameCause = (a: Envelope, b: Envelope): boolean =>
  a.causationId === b.causationId &&
  a.correlationId === b.correlationId &&
  a.traceparent === b.traceparent &&
  a.time === b.time &&
  a.actor === b.actor;

const causeItem = ({ time, actor, correlationId, causationId, traceparent }: Envelope): CauseItem => [
  0,
  time,
  actor,
  correlationId,
  causationId === correlationId ? 0 : causationId,
  beginsTrace(correlationId, traceparent) ? 0 : traceparent,
];

const ENVELOPE = ['id', 'type', 'time', 'actor', 'correlationId', 'causationId', 'traceparent', 'data'];
const WITH_KEY = ENVELOPE.toSpliced(-1, 0, 'key');
/** Whether the event has the usual fields in the usual order. */
function hasKnownEnvelope(event: Envelope): boolean {
  const known = event.key ? WITH_KEY : ENVELOPE;
  const names = Object.keys(event);
  if (names.length !== known.length) return false;
  for (let i = 0; i < names.length; i++) if (names[i] !== known[i]) return false;
  return true;
}
