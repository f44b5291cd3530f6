import {
  CHANNEL_DATA,
  Channel,
  Ended,
  type Method,
  ORDER_BODIES,
  PlaceOrders,
  REQUESTS,
  RESUMABLE,
  RequestId,
  Resync,
  ServerShutdown,
  StreamData,
  StreamReply,
  SubscribeResult,
} from '@brokerx/contracts';
import { z } from 'zod';

/** The AsyncAPI 3 document of the WebSocket, made from the schemas that messages are read and typed by. */
export function asyncApi(at: { version: string; protocol: string; host: string }) {
  const requests = Object.entries(REQUESTS).map(([method, params]) => ({
    method: method as Method,
    payload: schemaOf(
      z.strictObject({ id: RequestId, method: z.literal(method), params: documented(params) }),
      'input',
    ),
  }));
  const data = Channel.options.map((channel) => ({
    channel,
    payload: schemaOf(
      StreamData.extend({ channel: z.literal(channel), data: CHANNEL_DATA[channel] }),
      'output',
    ),
  }));
  return {
    asyncapi: '3.0.0',
    info: { title: 'BrokerX streams', version: at.version, description: DESCRIPTION },
    defaultContentType: 'application/json',
    servers: { brokerx: { host: at.host, protocol: at.protocol } },
    channels: {
      ws: {
        address: '/v1/ws',
        messages: Object.fromEntries(
          [
            ...requests.map(({ method }) => method),
            ...data.map(({ channel }) => dataName(channel)),
            ...Object.keys(CONTROL),
          ].map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
      },
    },
    operations: {
      ...Object.fromEntries(
        requests.map(({ method }) => [
          method,
          {
            action: 'receive',
            channel: ON_THE_CHANNEL,
            summary: ABOUT[method],
            messages: [messageOf(method)],
            reply: {
              channel: ON_THE_CHANNEL,
              messages: [messageOf(method === 'subscribe' ? 'subscribed' : 'reply')],
            },
          },
        ]),
      ),
      stream: {
        action: 'send',
        channel: ON_THE_CHANNEL,
        summary: 'What was subscribed to.',
        messages: [...data.map(({ channel }) => dataName(channel)), 'resync', 'ended', 'serverShutdown'].map(
          messageOf,
        ),
      },
    },
    components: {
      messages: {
        ...Object.fromEntries(
          requests.map(({ method, payload }) => [method, { summary: ABOUT[method], payload }]),
        ),
        ...Object.fromEntries(
          data.map(({ channel, payload }) => [dataName(channel), { summary: aboutData(channel), payload }]),
        ),
        ...Object.fromEntries(
          Object.entries(CONTROL).map(([name, { summary, schema }]) => [
            name,
            { summary, payload: schemaOf(schema, 'output') },
          ]),
        ),
      },
    },
  };
}

const ON_THE_CHANNEL = { $ref: '#/channels/ws' };
const messageOf = (name: string) => ({ $ref: `#/channels/ws/messages/${name}` });
const dataName = (channel: Channel) => `data_${channel}`;
const aboutData = (channel: Channel) =>
  RESUMABLE.includes(channel)
    ? `${channel}: every message counts; it resumes behind a sequence.`
    : `${channel}: how things stand; it begins with that.`;

const schemaOf = (schema: z.ZodType, io: 'input' | 'output') => {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { target: 'draft-7', io, unrepresentable: 'any' });
  return json;
};

/** With the bodies that command-api checks. */
function documented(params: (typeof REQUESTS)[Method]): z.ZodType {
  if (params === REQUESTS.place_order) return REQUESTS.place_order.extend({ order: ORDER_BODIES.order });
  if (params === REQUESTS.place_orders) return PlaceOrders;
  if (params === REQUESTS.amend_order) return REQUESTS.amend_order.extend({ change: ORDER_BODIES.change });
  return params;
}

const ABOUT: Readonly<Record<Method, string>> = {
  authenticate: 'Signs the connection in, or in again with a newer token of the same client.',
  ping: 'Is anybody there? For clients that are not told of the pings of the protocol.',
  subscribe: 'All of them or none; one that is subscribed to already begins anew.',
  unsubscribe: 'What is not subscribed to is passed over.',
  place_order: 'As POST /v1/orders.',
  place_orders: 'As POST /v1/orders/batch.',
  amend_order: 'As PATCH /v1/orders/{id}.',
  cancel_order: 'As DELETE /v1/orders/{id} or DELETE /v1/orders/by-client-order-id/{client_order_id}.',
  cancel_orders: 'As DELETE /v1/orders.',
};

const CONTROL = {
  reply: { summary: 'The answer to the request with this id.', schema: StreamReply },
  subscribed: {
    summary: 'The answer to `subscribe`: where each channel stands.',
    schema: StreamReply.extend({ result: SubscribeResult.optional() }),
  },
  resync: { summary: 'Messages of a channel are missing.', schema: Resync },
  ended: { summary: 'A subscription is over.', schema: Ended },
  serverShutdown: { summary: 'The connection is closed in a moment.', schema: ServerShutdown },
} as const;

const DESCRIPTION = `One WebSocket for market data, the account's own orders, and order entry. Every request has an \`id\`, which its reply bears;
a refusal is the same problem that HTTP answers, and names field and rule. The server pings every 15 seconds and drops who does not answer the next
one. Who does not keep up is left out until there is room, and then told by \`resync\` from which sequence on messages are missing; who stays behind for
half a minute is cut off. At most 500 subscriptions, 256 unanswered requests and 2,000 messages a second a connection.`;
