import type { Method, REQUESTS } from '@brokerx/contracts';
import type { z } from 'zod';

/** The HTTP request that carries a command of the WebSocket to command-api, which answers both alike. */
export type CommandRequest = {
  method: 'POST' | 'PATCH' | 'DELETE';
  path: string;
  key: string | undefined;
  body?: unknown;
};
export type CommandMethod = Exclude<Method, (typeof OWN)[number]>;
type Params = { [M in CommandMethod]: z.infer<(typeof REQUESTS)[M]> };
type Command = { [M in CommandMethod]: { method: M; params: Params[M] } }[CommandMethod];

export const isCommand = (method: Method): method is CommandMethod => !OWN.some((own) => own === method);
/** Methods that query-api answers itself. */
const OWN = ['authenticate', 'ping', 'subscribe', 'unsubscribe'] as const satisfies Method[];

export function commandRequest(command: Command): CommandRequest {
  switch (command.method) {
    case 'place_order': {
      const { idempotency_key: key, order } = command.params;
      return { method: 'POST', path: '/v1/orders', key, body: order };
    }
    case 'place_orders':
      return {
        method: 'POST',
        path: '/v1/orders/batch',
        key: undefined,
        body: { orders: command.params.orders },
      };
    case 'amend_order': {
      const { idempotency_key: key, order_id, change } = command.params;
      return { method: 'PATCH', path: `/v1/orders/${encodeURIComponent(order_id)}`, key, body: change };
    }
    case 'cancel_order': {
      const { idempotency_key: key, order_id, client_order_id } = command.params;
      const path =
        client_order_id === undefined
          ? encodeURIComponent(order_id ?? '')
          : `by-client-order-id/${encodeURIComponent(client_order_id)}`;
      return { method: 'DELETE', path: `/v1/orders/${path}`, key };
    }
    case 'cancel_orders': {
      const { idempotency_key: key, filter } = command.params;
      const query = new URLSearchParams(Object.entries(filter).map(([name, value]) => [name, String(value)]));
      return { method: 'DELETE', path: `/v1/orders?${query}`, key };
    }
  }
}
