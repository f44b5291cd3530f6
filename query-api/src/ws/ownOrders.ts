import { accountStream } from '@brokerx/contracts';
import { orderEventView } from '../account/orderEvent.ts';
import { follow } from '../live/follow.ts';
import type { LiveEvents } from '../live/liveEvents.ts';
import { streamMessage } from '../live/streamMessage.ts';
import type { EventReader } from '../reading/eventReader.ts';
import type { OpenChannel } from '../streams/channels.ts';
import { RESUME_EVENTS_MAX } from '../streams/resume.ts';
import type { Sink } from '../streams/sink.ts';

/**
 * The channel of an account's own orders and fills, live or from a sequence on. A sequence is a revision of the account's
 * stream; one that the stream does not have, or one too far back, is answered by a `resync`, and the channel starts live.
 */
export function ownOrders(options: {
  store: EventReader;
  live: LiveEvents;
  accountId: string;
  after: number | undefined;
  /** The newest revision of the account's stream, read a moment ago. */
  revision: number;
  to: Sink;
}): OpenChannel {
  const { accountId, after, revision, to } = options;
  const mode = startMode(after, revision);
  const from = mode === 'resume' ? (after ?? revision) : revision;
  return {
    sequence: () => revision,
    begin() {
      if (after !== undefined && mode !== 'live' && mode !== 'resume') to.resync(mode, after);
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

function startMode(after: number | undefined, revision: number) {
  if (after === undefined) return 'live';
  if (after > revision) return 'unknown_sequence';
  return revision - after > RESUME_EVENTS_MAX ? 'too_old' : 'resume';
}
