import { setTimeout as delay } from 'node:timers/promises';
import { type Api, brokerApi, idSource } from '@brokerx/client';
import { formatPosition, mintId, parsePosition } from '@brokerx/contracts';
import { type Connections, connections } from './connections.ts';
import { type FollowedOrders, followedOrders, SEEN_WITHIN_MS } from './followedOrders.ts';
import { headerOf } from './httpConnection.ts';
import { type JournalFile, journalFile } from './journalFile.ts';
import { openLoop } from './loops.ts';
import type { FromGenerator, ProbePlan, ToGenerator } from './protocol.ts';
import { schedule } from './schedule.ts';
import { type Tokens, tokens } from './tokens.ts';

/**
 * A process that follows single orders through all stages beside the load, in a symbol of its own where every one of them
 * meets a resting order: so that nobody takes the time of the acknowledgement for that of the whole.
 */
type Probe = {
  plan: ProbePlan;
  api: Api;
  commands: Connections;
  queries: Connections;
  own: Tokens;
  operatorToken: () => string;
  orders: FollowedOrders;
  journal: JournalFile;
};

const CONNECTIONS_MAX = 64;
const REOPEN_MS = 100;
const VIEW_RETRY_MS = 20;

const tell = (message: FromGenerator): void => void process.send?.(message);

async function follow(
  plan: ProbePlan,
  { started, operatorToken }: { started: Promise<number>; operatorToken: () => string },
  stop: AbortSignal,
): Promise<void> {
  const { commandUrl, queryUrl, user, intervalMs } = plan;
  const commands = connections(commandUrl, CONNECTIONS_MAX);
  const queries = connections(queryUrl, CONNECTIONS_MAX);
  const api = brokerApi({ commandUrl, queryUrl });
  const own = tokens([{ ...user, url: commands }], 1);
  const journal = journalFile(plan.journalFile);
  let measuredFromMs = Number.POSITIVE_INFINITY;
  const orders = followedOrders(() => measuredFromMs);
  const probe: Probe = { plan, api, commands, queries, own, operatorToken, orders, journal };
  const over = new AbortController();
  const following = [followHistory(probe, over.signal), followStream(probe, over.signal)];
  tell({ kind: 'ready' });
  const beginMs = (await started) - performance.timeOrigin;
  measuredFromMs = beginMs + plan.warmUpSeconds * 1_000;
  let nextIndex = 0;
  const tellUntil = (index: number) => {
    while (nextIndex < index) tell({ kind: 'probe interval', interval: orders.take(nextIndex++) });
  };
  const indexNow = () => Math.max(0, Math.floor((performance.now() - beginMs) / intervalMs));
  const ticker = setInterval(() => tellUntil(indexNow()), 100);
  const { ordersPerSecond, seconds } = plan;
  const due = schedule(ordersPerSecond, seconds, [{ share: 1, from: 1, to: 1 }]);
  await openLoop(due, beginMs, (_, dueMs) => sendOrder(probe, dueMs), stop);
  const deadline = performance.now() + SEEN_WITHIN_MS + REOPEN_MS;
  const busy = () => orders.count() + commands.inFlight() + commands.waiting() > 0;
  while (busy() && performance.now() < deadline) await delay(VIEW_RETRY_MS);
  clearInterval(ticker);
  over.abort();
  await Promise.all(following);
  tellUntil(indexNow() + 1);
  for (const one of [commands, queries, orders, api]) await one.close();
  own.stop();
  journal.close();
  const { renewals, failed } = own.stats();
  tell({ kind: 'ended', last: [], renewals, renewalsFailed: failed });
}

/** Sends an order that trades at once. */
function sendOrder({ plan, commands, own, orders, journal }: Probe, dueMs: number): void {
  const { symbol, limitPrice: limit_price, user } = plan;
  const order = { symbol, side: 'buy', type: 'limit', qty: '1', limit_price, time_in_force: 'ioc' };
  const body = JSON.stringify(order);
  const key = mintId(idSource);
  const entry = { key, accountId: user.accountId, kind: 'place' } as const;
  orders.sent(dueMs);
  const request = `POST /v1/orders HTTP/1.1\r\nhost: ${commands.host}\r\n${own.authorization(0)}content-type: application/json\r\nidempotency-key: ${key}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  commands.send(request, (status, head, text) => {
    if (status !== 202) {
      orders.refused(dueMs);
      journal.note({ ...entry, outcome: status > 0 && status < 500 ? 'refused' : 'unknown' });
      return;
    }
    const { id } = JSON.parse(text) as { id: string };
    journal.note({ ...entry, outcome: 'ok', subjectId: id });
    const position = parsePosition(headerOf(head, 'x-brokerx-position') ?? '');
    orders.acknowledged(id, dueMs, position?.storeId ?? '');
  });
}

type RawEvent = {
  position: number;
  type: string;
  data: { orderId?: string; taker?: { orderId: string } };
};

/** The event history, as it grows: trades of the book are matches, fills of the account are settlements. */
async function followHistory(probe: Probe, over: AbortSignal): Promise<void> {
  const { plan, api, orders, operatorToken } = probe;
  const streams = encodeURIComponent(`account-${plan.user.accountId},book-${plan.symbol}`);
  let { after } = plan;
  await again(over, async () => {
    const path = `/v1/events?follow=true&after=${after}&stream=${streams}`;
    for await (const line of api.lines(path, { token: operatorToken(), signal: over })) {
      if (line === '') continue;
      const { position, type, data } = JSON.parse(line) as RawEvent;
      after = Math.max(after, position);
      if (type.startsWith('TradeExecuted.') && data.taker) orders.seen(data.taker.orderId, 'match');
      if (!type.startsWith('OrderFilled.') || !data.orderId) continue;
      orders.seen(data.orderId, 'settlement');
      void watchView(probe, data.orderId, position, over);
    }
  });
}

/** The client's own stream, which tells the fill. */
async function followStream({ api, own, orders }: Probe, over: AbortSignal): Promise<void> {
  await again(over, async () => {
    for await (const line of api.lines('/v1/streams/orders', { token: own.token(0), signal: over })) {
      if (!line.startsWith('data:') || !line.includes('"order_filled"')) continue;
      const { order_id } = JSON.parse(line.slice(5)) as { order_id: string };
      orders.seen(order_id, 'stream');
    }
  });
}

/** Opens a stream again and again: servers are killed, and tokens expire. */
async function again(over: AbortSignal, follow: () => Promise<void>): Promise<void> {
  while (!over.aborted) {
    try {
      await follow();
    } catch {
      await delay(REOPEN_MS);
    }
  }
}

/** Asks for the order until it is shown as filled, with the position of its fill: the query then waits for its view. */
async function watchView({ orders, queries, own }: Probe, id: string, position: number, over: AbortSignal) {
  for (;;) {
    const storeId = orders.awaited(id, 'view');
    if (storeId === undefined || over.aborted) return;
    if (storeId !== '') {
      const minPosition = encodeURIComponent(formatPosition({ storeId, position }));
      const path = `/v1/orders/${id}?min_position=${minPosition}`;
      if ((await get(queries, path, own.authorization(0))).includes('"status":"filled"'))
        return orders.seen(id, 'view');
    }
    await delay(VIEW_RETRY_MS);
  }
}

/** The text of the reply; empty when there is none. */
const get = (to: Connections, path: string, authorization: string): Promise<string> =>
  new Promise((resolve) => {
    const request = `GET ${path} HTTP/1.1\r\nhost: ${to.host}\r\n${authorization}\r\n`;
    if (!to.send(request, (status, _head, text) => resolve(status === 200 ? text : ''))) resolve('');
  });

function main(): void {
  const started = Promise.withResolvers<number>();
  const stop = new AbortController();
  let operatorToken = '';
  process.on('disconnect', () => process.exit(0));
  process.on('SIGINT', () => stop.abort());
  process.on('message', (message: ToGenerator) => {
    if (message.kind === 'start') started.resolve(message.beginMs);
    else if (message.kind === 'stop') stop.abort();
    else if (message.kind === 'operator token') operatorToken = message.token;
    else if (message.kind === 'probe') {
      operatorToken = message.operatorToken;
      const parts = { started: started.promise, operatorToken: () => operatorToken };
      follow(message, parts, stop.signal).catch((error: unknown) =>
        tell({ kind: 'failed', error: String((error as Error).stack ?? error) }),
      );
    }
  });
}

if (import.meta.main) main();
