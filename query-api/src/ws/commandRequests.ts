import type { Method, REQUESTS } from '@brokerx/contracts';
import type { z } from 'zod';

/** Which command over HTTP a request of the WebSocket is: command-api answers both, with the same words. */
export type CommandRequest = {
  method: 'POST' | 'PATCH' | 'DELETE';
  path: string;
  key: string | undefined;
  body?: unknown;
};
export type CommandMethod = Exclude<Method, (typeof OWN)[number]>;
type Params = { [M in CommandMethod]: z.infer<(typeof REQUESTS)[M]> };
type Asked = { [M in CommandMethod]: { method: M; params: Params[M] } }[CommandMethod];

export const isCommand = (method: Method): method is CommandMethod => !OWN.some((own) => own === method);
/** What query-api does itself. */
const OWN = ['authenticate', 'ping', 'subscribe', 'unsubscribe'] as const satisfies Method[];

export function commandRequest(asked: Asked): CommandRequest {
  switch (asked.method) {
    case 'place_order': {
      const { idempotency_key: key, order } = asked.params;
      return { method: 'POST', path: '/v1/orders', key, body: order };
    }
    case 'place_orders':
      return {
        method: 'POST',
        path: '/v1/orders/batch',
        key: undefined,
        body: { orders: asked.params.orders },
      };
    case 'amend_order': {
      const { idempotency_key: key, order_id, change } = asked.params;
      return { method: 'PATCH', path: `/v1/orders/${encodeURIComponent(order_id)}`, key, body: change };
    }
    case 'cancel_order': {
      const { idempotency_key: key, order_id, client_order_id } = asked.params;
      const path =
        client_order_id === undefined
          ? encodeURIComponent(order_id ?? '')
          : `by-client-order-id/${encodeURIComponent(client_order_id)}`;
      return { method: 'DELETE', path: `/v1/orders/${path}`, key };
    }
    case 'cancel_orders': {
      const { idempotency_key: key, filter } = asked.params;
      const query = new URLSearchParams(Object.entries(filter).map(([name, value]) => [name, String(value)]));
      return { method: 'DELETE', path: `/v1/orders?${query}`, key };
    }
  }
}
