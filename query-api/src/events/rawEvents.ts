import type { Event, views } from '@brokerx/contracts';
import type { Filter, Recorded } from '@brokerx/infra';
import type { EventReader } from '../reading/eventReader.ts';

/**
 * Exports raw events as lines of JSON. The next page of the store is read when the reader has taken the previous one, so a slow
 * reader takes one page of memory and keeps no transaction open.
 */
export type RawEventsQuery = {
  /** Events behind this position. */
  after: number;
  /** Events up to this position; undefined: no bound. */
  until: number | undefined;
  /** At the end of the store, waits for new events instead of ending. */
  follow: boolean;
  filter: Filter;
  /** Lines at most. */
  limit: number | undefined;
};

/** Events of a page: about 0.5 MB of text. */
const PAGE_EVENTS = 500;

export async function* rawEventLines(
  store: EventReader,
  query: RawEventsQuery,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const { until = Number.POSITIVE_INFINITY, filter, limit = Number.POSITIVE_INFINITY } = query;
  let after = query.after;
  let lines = 0;
  while (!signal.aborted && lines < limit && after < until) {
    const page = query.follow
      ? await appendedBeyond(store, after, filter, signal)
      : await store.readAll(after, filter, PAGE_EVENTS);
    if (!page) return;
    const pageEvents = page.events.filter(({ position }) => position <= until).slice(0, limit - lines);
    lines += pageEvents.length;
    if (pageEvents.length > 0) yield pageEvents.map(rawEventLine).join('');
    after = page.position;
    if (page.atEnd && !query.follow) return;
  }
}

/** Waits for the next page; undefined when aborted. */
async function appendedBeyond(store: EventReader, after: number, filter: Filter, signal: AbortSignal) {
  let appended = false;
  let wake: () => void = () => undefined;
  const notice = () => {
    appended = true;
    wake();
  };
  const leave = store.onAppend(notice);
  signal.addEventListener('abort', notice);
  try {
    while (!signal.aborted) {
      appended = false;
      const page = await store.readAll(after, filter, PAGE_EVENTS);
      if (page.position > after) return page;
      if (!appended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (appended || signal.aborted) resolve();
        });
      }
    }
    return undefined;
  } finally {
    leave();
    signal.removeEventListener('abort', notice);
  }
}

function rawEventLine({ event, position, stream, revision }: Recorded<Event>): string {
  const view: views.RawEventView = {
    position,
    stream,
    revision,
    id: event.id,
    type: event.type,
    time: event.time,
    actor: event.actor,
    correlation_id: event.correlationId,
    causation_id: event.causationId,
    traceparent: event.traceparent,
    ...(event.key ? { key: event.key } : {}),
    ...(event.more ? { more: event.more } : {}),
    data: event.data,
  };
  return `${JSON.stringify(view)}\n`;
}
