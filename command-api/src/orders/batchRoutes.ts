import { OrderBatch, PlaceOrder, views } from '@brokerx/contracts';
import { type Http, invalidRequest, problemBody, toProblem } from '@brokerx/infra';
import { expectFact } from '../commands/facts.ts';
import { recorded } from '../commands/reply.ts';
import { placing } from './placeCommand.ts';
import { type OrderRoutes, trader } from './request.ts';
import { placedView } from './views.ts';

type Result = views.OrderResultsView['items'][number];

/** Several orders in one request, each with a key and a result of its own: some may be placed and others refused. */
export function batchRoutes(app: Http, deps: OrderRoutes): void {
  const place = placing(deps);
  app.post(
    '/v1/orders/batch',
    {
      config: { auth: trader.auth },
      schema: {
        tags: ['Orders'],
        summary: 'Place several orders',
        description:
          'Each is placed or refused as by POST /v1/orders, in the order given, with an Idempotency-Key of its own: repeat ' +
          'the batch, or a part of it, with the same keys, and each happens once. It is not all or nothing.',
        body: OrderBatch,
        response: { 207: views.OrderResultsView },
      },
    },
    async ({ actor, body, traceparent, log }, reply) => {
      const results = body.orders.map(async ({ idempotency_key, order }): Promise<Result> => {
        try {
          const parsed = PlaceOrder.safeParse(order);
          if (!parsed.success) throw invalidRequest(parsed.error.issues, 'body', order);
          const answer = await place({
            actor,
            traceparent,
            headers: { 'idempotency-key': idempotency_key },
            order: parsed.data,
          });
          const { fact, time, headers } = recorded(answer, deps.storeId);
          return {
            status: 202,
            ...resultHeaders(headers),
            order: placedView(expectFact(fact, 'OrderPlaced.v1', 'OrderListPlaced.v1'), time),
          };
        } catch (error) {
          const problem = toProblem(error);
          if (problem.status === 500) log.error({ err: error }, 'unexpected error');
          return { status: problem.status, ...resultHeaders(problem.headers), problem: problemBody(problem) };
        }
      });
      reply.code(207);
      return { items: await Promise.all(results) };
    },
  );
}

/** The headers of a single reply, as fields of a batch's result. */
const resultHeaders = (headers: Readonly<Record<string, string>>) => ({
  ...(headers['x-brokerx-position'] ? { position: headers['x-brokerx-position'] } : {}),
  ...(headers['idempotent-replayed'] ? { replayed: true } : {}),
});
