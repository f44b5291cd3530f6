import { accountStream, type Event } from '@brokerx/contracts';
import type { Recorded } from '@brokerx/infra';
import { orderEventView } from '../account/orderEvent.ts';
import { follow } from '../live/follow.ts';
import type { LiveEvents } from '../live/liveEvents.ts';
import { frame } from '../live/sseFrame.ts';
import type { EventReader } from '../reading/eventReader.ts';
import { resumeAt } from './resume.ts';
import { type EventStream, followedBy } from './sse.ts';

/**
 * Streams an account's orders and fills. `stream_ready` has the first id to resume from, before any event has come.
 * `resync_required` means that the client's id is no place to resume from: it reads the orders anew, and then goes on.
 */
export async function streamOrders(options: {
  store: EventReader;
  live: LiveEvents;
  to: EventStream;
  accountId: string;
  lastEventId: number | undefined;
}): Promise<void> {
  const { store, to, accountId, lastEventId } = options;
  const stream = accountStream(accountId);
  const resume = lastEventId === undefined ? undefined : await resumeAt(store, stream, lastEventId);
  if (resume && 'resync' in resume)
    to.send(frame('resync_required', JSON.stringify({ reason: resume.resync })));
  const fromRevision = resume && 'from' in resume ? resume.from : (await store.streamRevision(stream)) + 1;
  to.send(frame('stream_ready', JSON.stringify({ account_id: accountId }), Math.max(0, fromRevision - 1)));
  await follow({
    ...options,
    ...followedBy(to),
    stream,
    fromRevision,
    give(recorded) {
      const message = frameOf(recorded);
      if (message !== null) to.send(message);
    },
  });
}

function frameOf(recorded: Recorded<Event>): string | null {
  const view = orderEventView(recorded);
  return view ? frame(view.event, JSON.stringify(view), recorded.revision) : null;
}
