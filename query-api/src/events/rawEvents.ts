import type { Event, views } from '@brokerx/contracts';
import type { Filter, Recorded } from '@brokerx/infra';
import type { EventReader } from '../reading/eventReader.ts';

/**
 * Raw events as lines of JSON, a page of the store at a time: each page is read when the reader has taken the one
 * before, so a slow reader costs one page of memory and holds no transaction open.
 */
export type RawEventsQuery = {
  /** Position before the first event. */
  after: number;
  /** Position of the last event at most. */
  until: number | undefined;
  /** Waits for what is appended instead of ending at the end of the store. */
  follow: boolean;
  filter: Filter;
  /** Lines at most. */
  limit: number | undefined;
};

/** About 0.5 MB of text. */
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
    const given = page.events.filter(({ position }) => position <= until).slice(0, limit - lines);
    lines += given.length;
    if (given.length > 0) yield given.map(rawEventLine).join('');
    after = page.position;
    if (page.atEnd && !query.follow) return;
  }
}

/** The next page, waited for; undefined when aborted. */
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
