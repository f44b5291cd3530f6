/**
 * What the scripts of this folder share: people, their tokens, and one request of each kind. People come from a file of
 * `brokerx people create`; what else there is to say comes from the environment:
 *
 *   npm run brokerx -- people create --count 150 --shares LOAD1=100000 --out /tmp/people.json
 *   k6 run -e PEOPLE=/tmp/people.json loadtests/k6/steady.js
 *
 * COMMAND_URL and QUERY_URL say where BrokerX is, SYMBOLS (LOAD1) what is traded, MID (100.00) around which price, RATE and SECONDS
 * replace those of the script. The symbols must be listed.
 */
import { check, sleep } from 'k6';
import { SharedArray } from 'k6/data';
import http from 'k6/http';
import { Counter, Trend } from 'k6/metrics';

const { COMMAND_URL = 'http://127.0.0.1:8001', QUERY_URL = 'http://127.0.0.1:8002' } = __ENV;
const SYMBOLS = (__ENV.SYMBOLS || 'LOAD1').split(',');
const MID_CENTS = Math.round(Number(__ENV.MID || '100.00') * 100);
const ORDERS_PER_BATCH = 20;
/** A token is replaced this long before it expires. */
const TOKEN_MARGIN_MS = 60_000;

const people = new SharedArray('people', () => {
  const { password, people: made } = JSON.parse(open(__ENV.PEOPLE || '/tmp/people.json'));
  return made.map(({ email }) => ({ email, password }));
});
const orders = new Counter('orders_acknowledged');
const acknowledged = new Trend('order_acknowledged', true);

/** An open loop: requests at fixed times, as far as the people of the file reach. */
export function byRate({ rate, stages }) {
  const asked = Number(__ENV.RATE || rate);
  const seconds = Number(__ENV.SECONDS || 60);
  const vus = { preAllocatedVUs: people.length, maxVUs: people.length };
  const load = stages
    ? {
        executor: 'ramping-arrival-rate',
        startRate: asked,
        stages: stages.map(({ share, to }) => ({
          duration: `${share * seconds}s`,
          target: Math.round(asked * to),
        })),
      }
    : { executor: 'constant-arrival-rate', rate: asked, duration: `${seconds}s` };
  return { scenarios: { load: { timeUnit: '1s', ...vus, ...load } } };
}

/** The original's users: ramp 15 s, hold 60 s, ramp down 30 s. */
export function byUsers(users) {
  const factor = Number(__ENV.SECONDS || 105) / 105;
  const target = Number(__ENV.USERS || users);
  const stages = [
    [15, target],
    [60, target],
    [30, 0],
  ].map(([seconds, to]) => ({ duration: `${Math.max(1, Math.round(seconds * factor))}s`, target: to }));
  return { scenarios: { load: { executor: 'ramping-vus', startVUs: 0, stages } } };
}

/** One request of the mix, by weight. */
export function mixed(mix, settings = {}) {
  const actions = Object.entries(mix);
  const total = actions.reduce((sum, [, weight]) => sum + weight, 0);
  return () => {
    let rest = Math.random() * total;
    for (const [action, weight] of actions) {
      rest -= weight;
      if (rest < 0) return perform(action, settings);
    }
    return undefined;
  };
}

/** One request after the other, and then a rest. */
export function journey(steps, { restSeconds, ...settings }) {
  return () => {
    for (const step of steps) perform(step, settings);
    sleep(restSeconds);
  };
}

/** Orders of this user that were not canceled yet. */
const resting = [];

function perform(action, settings) {
  switch (action) {
    case 'place':
      return place(settings);
    case 'batch':
      return batch(settings);
    case 'cancel': {
      const id = resting.shift();
      if (id === undefined) return place(settings);
      const canceled = http.del(`${COMMAND_URL}/v1/orders/${id}`, null, {
        headers: { ...authorized(settings), 'idempotency-key': newKey() },
        tags: { name: 'DELETE /v1/orders/{id}' },
      });
      // It may have traded meanwhile.
      return check(canceled, { 'a cancel is answered': ({ status }) => status === 202 || status === 409 });
    }
    case 'deposit':
      return check(command('/v1/deposits', { amount: '1.00' }, settings), { 'a deposit is taken': is(202) });
    case 'sign_in':
      return check(signIn(personOf(settings)), { 'somebody is let in': is(201) });
    case 'depth':
    case 'ticker':
      return look(`/v1/symbols/${symbolOf(settings)}/${action}`, `/v1/symbols/{symbol}/${action}`, settings);
    default:
      return look(`/v1/${action}`, `/v1/${action}`, settings);
  }
}

function place(settings) {
  const reply = command('/v1/orders', orderOf(settings), settings);
  if (reply.status === 202) {
    orders.add(1);
    acknowledged.add(reply.timings.duration);
    if (settings.restsOnly) resting.push(reply.json('id'));
  }
  return check(reply, { 'an order is taken': is(202) });
}

function batch(settings) {
  const all = Array.from({ length: ORDERS_PER_BATCH }, () => ({
    idempotency_key: newKey(),
    order: orderOf(settings),
  }));
  const reply = http.post(`${COMMAND_URL}/v1/orders/batch`, JSON.stringify({ orders: all }), {
    headers: { ...authorized(settings), 'content-type': 'application/json' },
  });
  const taken = reply.status === 207 ? reply.json('items').filter(({ status }) => status === 202).length : 0;
  orders.add(taken);
  return check(reply, { 'every order of a batch is taken': () => taken === ORDERS_PER_BATCH });
}

function command(path, body, settings) {
  return http.post(`${COMMAND_URL}${path}`, JSON.stringify(body), {
    headers: { ...authorized(settings), 'content-type': 'application/json', 'idempotency-key': newKey() },
  });
}

function look(path, name, settings) {
  const reply = http.get(`${QUERY_URL}${path}`, { headers: authorized(settings), tags: { name } });
  return check(reply, { 'a query is answered': is(200) });
}

const is = (expected) => (reply) => reply.status === expected;

/** As the lab's: half of the orders trade, makers near the mid and takers that reach them; or all of them only rest. */
export function orderOf(settings) {
  if (settings.order) return settings.order;
  const side = Math.random() < 0.5 ? 'buy' : 'sell';
  const [near, away] = [1 + below(5), 10 + below(50)];
  const kind = settings.restsOnly ? 1 : Math.random();
  const ticks = kind < 0.3 ? near : kind < 0.6 ? -near : away;
  const time_in_force = !settings.restsOnly && kind >= 0.6 && kind < 0.8 ? 'ioc' : 'day';
  const limit_price = ((MID_CENTS + (side === 'buy' ? -ticks : ticks)) / 100).toFixed(2);
  return {
    symbol: symbolOf(settings),
    side,
    type: 'limit',
    qty: String(1 + below(10)),
    limit_price,
    time_in_force,
  };
}

export const symbolOf = ({ hotSymbolShare = 0.5 }) =>
  Math.random() < hotSymbolShare ? SYMBOLS[0] : SYMBOLS[below(SYMBOLS.length)];
const below = (n) => Math.floor(Math.random() * n);

const personOf = ({ hotUserShare = 0 }) =>
  Math.random() < hotUserShare ? people[0] : people[(__VU - 1) % people.length];

/** Tokens of this virtual user's people, by address. */
const tokens = {};
function authorized(settings) {
  return { authorization: `Bearer ${tokenOf(personOf(settings))}` };
}

export function tokenOf(person = people[(__VU - 1) % people.length]) {
  const known = tokens[person.email];
  if (known && Date.now() < known.goodUntilMs) return known.token;
  const reply = signIn(person);
  if (reply.status !== 201) return '';
  const token = reply.json('access_token');
  tokens[person.email] = {
    token,
    goodUntilMs: Date.now() + reply.json('expires_in') * 1_000 - TOKEN_MARGIN_MS,
  };
  return token;
}

const signIn = ({ email, password }) =>
  http.post(`${COMMAND_URL}/v1/sessions`, JSON.stringify({ email, password }), {
    headers: { 'content-type': 'application/json' },
  });

/** A UUID of version 7. */
export function newKey() {
  const time = Date.now().toString(16).padStart(12, '0');
  const hex = (digits) => Array.from({ length: digits }, () => below(16).toString(16)).join('');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(3)}-${(8 + below(4)).toString(16)}${hex(3)}-${hex(12)}`;
}

export const socketUrl = `${QUERY_URL.replace(/^http/, 'ws')}/v1/ws`;
export const streamUrl = (symbol) => `${QUERY_URL}/v1/streams/symbols/${symbol}/depth`;
