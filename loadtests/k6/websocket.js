import { check } from 'k6';
import { Trend } from 'k6/metrics';
import { WebSocket } from 'k6/websockets';
import { newKey, orderOf, socketUrl, tokenOf } from './brokerx.js';

/** Orders over each user's WebSocket at an even rate, about half of them trading. */
const USERS = Number(__ENV.USERS || 100);
const SECONDS = Number(__ENV.SECONDS || 60);
const EVERY_MS = (1_000 * USERS) / Number(__ENV.RATE || 1_000);
const acknowledged = new Trend('order_acknowledged', true);

export const options = {
  scenarios: {
    load: { executor: 'per-vu-iterations', vus: USERS, iterations: 1, maxDuration: `${SECONDS + 30}s` },
  },
};

export default function () {
  const socket = new WebSocket(socketUrl);
  const sent = new Map();
  let nextId = 1;
  const request = (method, params) => socket.send(JSON.stringify({ id: nextId++, method, params }));
  socket.onopen = () => {
    request('authenticate', { token: tokenOf() });
    const timer = setInterval(() => {
      sent.set(nextId, Date.now());
      request('place_order', { idempotency_key: newKey(), order: orderOf({}) });
    }, EVERY_MS);
    setTimeout(() => {
      clearInterval(timer);
      setTimeout(() => socket.close(), 1_000);
    }, SECONDS * 1_000);
  };
  socket.onmessage = ({ data }) => {
    const reply = JSON.parse(data);
    const sentMs = sent.get(reply.id);
    if (reply.type !== 'reply' || sentMs === undefined) return;
    sent.delete(reply.id);
    acknowledged.add(Date.now() - sentMs);
    check(reply, { 'an order is taken': ({ status }) => status === 202 });
  };
}
