import { accountStream } from '@brokerx/contracts';
import { orderEventView } from '../account/orderEvent.ts';
import { follow } from '../live/follow.ts';
import type { LiveEvents } from '../live/liveEvents.ts';
import { streamMessage } from '../live/streamMessage.ts';
import type { EventReader } from '../reading/eventReader.ts';
import type { OpenChannel } from '../streams/channels.ts';
import { RESUME_EVENTS_MAX } from '../streams/resume.ts';
import type { Sink } from '../streams/sink.ts';

/** The orders and fills of an account, as they happen or behind a sequence: a revision of the account's stream. */
export function ownOrders(options: {
  store: EventReader;
  live: LiveEvents;
  accountId: string;
  after: number | undefined;
  /** Of the account's stream, as read a moment ago. */
  revision: number;
  to: Sink;
}): OpenChannel {
  const { accountId, after, revision, to } = options;
  const isUnknown = after !== undefined && after > revision;
  const isTooOld = after !== undefined && revision - after > RESUME_EVENTS_MAX;
  const from = after === undefined || isUnknown || isTooOld ? revision : after;
  return {
    sequence: () => revision,
    begin() {
      if (isUnknown) to.resync('unknown_sequence', after);
      if (isTooOld) to.resync('too_old', after);
      follow({
        ...options,
        stream: accountStream(accountId),
        fromRevision: from + 1,
        ended: to.ended,
        room: to.room,
        failed: to.fail,
        give(recorded) {
          const view = orderEventView(recorded);
          if (view) to.send(streamMessage({ channel: 'orders' }, recorded.revision, JSON.stringify(view)));
        },
      }).catch(to.fail);
    },
  };
}
