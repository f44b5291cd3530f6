import type { Http } from '@brokerx/infra/http/http.ts';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import { ChannelPath, ChannelStreamQuery } from '../http/parameters.ts';
import { invalidParameter } from '../http/problems.ts';
import type { Channels } from './channels.ts';
import { EVENT_STREAM_RESPONSE, ResumeHeaders, resumeFrom, serveStream } from './eventStreamReply.ts';
import type { OpenStreams } from './openStreams.ts';
import { eventSink } from './sink.ts';

export type ChannelRoutes = { channels: Channels; streams: OpenStreams; log: Log };

/** The route that serves each public channel of a symbol as server-sent events. */
export function channelRoutes(app: Http, deps: ChannelRoutes): void {
  const { channels, streams } = deps;
  app.get(
    '/v1/streams/symbols/:symbol/:channel',
    {
      config: { auth: 'public' },
      exposeHeadRoute: false,
      schema: {
        tags: ['Streams'],
        headers: ResumeHeaders,
        summary: 'One public channel of a symbol, as it happens',
        description: `The same data as the channel of the WebSocket (\`/asyncapi.json\`) has, each as an event with the channel's name.
\`depth\`, \`book_orders\` and \`trades\` have the sequence as id and resume with \`Last-Event-ID\`; the others begin with how things stand.
\`resync_required\`: messages are missing, ask for a new snapshot.`,
        params: ChannelPath,
        querystring: ChannelStreamQuery,
        response: EVENT_STREAM_RESPONSE,
      },
    },
    async (request, reply) => {
      const { symbol, channel } = request.params;
      const { interval } = request.query;
      if ((interval !== undefined) !== (channel === 'candles')) {
        throw invalidParameter('#/query/interval', 'candles have an interval, no other channel');
      }
      const after = resumeFrom(request, request.query.last_event_id);
      const to = streams.open({ address: request.ip, accountId: null });
      try {
        const opened = await channels.open({ symbol, channel, interval, after }, eventSink(to));
        return serveStream(deps, to, request, reply, async () => opened.begin());
      } catch (error) {
        to.discard();
        throw error;
      }
    },
  );
}
