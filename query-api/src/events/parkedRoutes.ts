import { views } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra/http/http.ts';
import { STAFF } from '../http/actor.ts';
import { ParkedEventsQuery } from '../http/parameters.ts';
import { POSITION_REPLY_HEADERS, PositionHeaders, type Reading } from '../reading/reading.ts';
import { parkedEventsToken, readParkedEvents } from './parkedEvents.ts';

/** All table projections: the reply's position is the lowest of theirs, and parked events are complete up to it. */
const PROJECTIONS = ['candles', 'executions', 'holdings', 'ledger', 'orders', 'symbols', 'wallets'];

/** The route of parked events: those that a projection could not fold, and left out. */
export function parkedRoutes(app: Http, reads: Reading): void {
  app.get(
    '/v1/parked-events',
    {
      config: { auth: STAFF, replyHeaders: POSITION_REPLY_HEADERS },
      schema: {
        tags: ['Events'],
        summary: 'Events that could not be folded into a read model',
        description:
          'Each is a defect: what the event says is missing from the tables of this projection, and from every answer that is made of them. None is the rule.',
        headers: PositionHeaders,
        querystring: ParkedEventsQuery,
        response: { 200: views.page(views.ParkedEventView) },
      },
    },
    async (request, reply) => {
      const { limit } = request.query;
      const after = await reads.requestedPage(request, parkedEventsToken);
      return reads.page(
        reply,
        await readParkedEvents(reads.of(request, reply, ...PROJECTIONS), { after, limit }),
      );
    },
  );
}
