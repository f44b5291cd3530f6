import { accountStream } from '@brokerx/contracts';
import type { Runtime, SessionEnds } from '@brokerx/infra';
import { NO_STREAM } from '@brokerx/infra';
import type { Http } from '@brokerx/infra/http/http.ts';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { accountRead, EVERY_ROLE } from '../http/actor.ts';
import { OrderStreamQuery, SymbolPath, SymbolStreamQuery } from '../http/parameters.ts';
import { refused } from '../http/problems.ts';
import type { HotValues } from '../live/hotValues.ts';
import type { LiveEvents } from '../live/liveEvents.ts';
import { MARKET_DATA, type MarketLookFrom, marketLook } from '../market/marketData.ts';
import type { EventReader } from '../reading/eventReader.ts';
import type { Freshness } from '../reading/freshness.ts';
import { freshLook } from '../reading/reading.ts';
import { EVENT_STREAM_RESPONSE, ResumeHeaders, resumeFrom, serveStream } from './eventStreamReply.ts';
import type { OpenStreams } from './openStreams.ts';
import { streamOrders } from './orderStream.ts';
import type { EventStream } from './sse.ts';
import { streamSymbol } from './symbolStream.ts';

export type StreamRoutes = MarketLookFrom & {
  store: EventReader;
  freshness: Freshness;
  live: LiveEvents;
  sessions: Pick<SessionEnds, 'onEnd'>;
  hotValues: HotValues;
  streams: OpenStreams;
  runtime: Runtime;
  log: Log;
};

/** The routes of an account's orders and a symbol's market as server-sent events. Refusals come before the first byte. */
export function streamRoutes(app: Http, deps: StreamRoutes): void {
  const { store, live, sessions, hotValues, streams, runtime, log } = deps;
  const shared = { tags: ['Streams'], headers: ResumeHeaders };
  const response = EVENT_STREAM_RESPONSE;

  const serve = (to: EventStream, request: FastifyRequest, reply: FastifyReply, work: Promise<void>) =>
    serveStream({ log }, to, request, reply, () => work);

  app.get(
    '/v1/streams/orders',
    {
      config: { auth: EVERY_ROLE },
      exposeHeadRoute: false,
      schema: {
        ...shared,
        summary: 'Orders and fills of the account, as they happen',
        description: `Events \`order_placed\`, \`order_refused\`, \`cancel_requested\`, \`amend_requested\`, \`order_filled\`, \`order_amended\`,
\`amend_rejected\`, \`order_closed\` with an \`OrderEventView\` each. Connect again with \`Last-Event-ID\` (browsers do it by themselves) and nothing is
missed. \`resync_required\`: the id cannot be resumed from, ask for the orders. The last event says why the stream ends:
\`slow_consumer\`, \`token_expired\`, \`session_ended\`, \`server_shutdown\` or \`unavailable\`.`,
        querystring: OrderStreamQuery,
        response,
      },
    },
    async (request, reply) => {
      const actor = request.actor;
      const accountId = accountRead(actor, request.query.account_id);
      const lastEventId = resumeFrom(request, request.query.last_event_id);
      if ((await store.streamRevision(accountStream(accountId))) === NO_STREAM)
        throw refused('ACCOUNT_NOT_FOUND');
      const to = streams.open({ address: request.ip, accountId: actor.accountId });
      const cancel = runtime.setTimer(Math.max(0, actor.expiresAtMs - runtime.nowMs()), () =>
        to.end('token_expired'),
      );
      const leave = sessions.onEnd(actor, () => to.end('session_ended'));
      to.ended.addEventListener(
        'abort',
        () => {
          cancel();
          leave();
        },
        { once: true },
      );
      return serve(to, request, reply, streamOrders({ store, live, to, accountId, lastEventId }));
    },
  );

  app.get(
    '/v1/streams/symbols/:symbol',
    {
      config: { auth: 'public' },
      exposeHeadRoute: false,
      schema: {
        ...shared,
        summary: 'Depth and trades of a symbol, as they happen',
        description: `\`depth\` (a \`DepthView\`) tells the whole visible book, at most ten times a second, each replacing the one before.
\`trade\` (a \`TradeView\`) tells every trade; its id is the book's revision, and \`Last-Event-ID\` resumes without a gap. Without an id the stream begins
with the last trades.`,
        params: SymbolPath,
        querystring: SymbolStreamQuery,
        response,
      },
    },
    async (request, reply) => {
      const { symbol } = request.params;
      const lastEventId = resumeFrom(request, request.query.last_event_id);
      const look = marketLook(deps, symbol, { depth: true, trades: true });
      const { seen: market } = await freshLook(deps, MARKET_DATA, look);
      if (market.state !== 'found') throw refused('UNKNOWN_SYMBOL', `there is no symbol ${symbol}`);
      const to = streams.open({ address: request.ip, accountId: null });
      return serve(
        to,
        request,
        reply,
        streamSymbol({ store, live, hotValues, to, symbol, lastEventId, market }),
      );
    },
  );
}
