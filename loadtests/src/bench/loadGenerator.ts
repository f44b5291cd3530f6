import { setTimeout as delay } from 'node:timers/promises';
import { idSource } from '@brokerx/client';
import { mintId } from '@brokerx/contracts';
import { build, type Histogram } from 'hdr-histogram-js';
import { Client } from 'undici';
import type { JournalEntry } from '../journal.ts';
import { type Random } from '../random.ts';

/**
 * Keeps many clients busy, each with one order in flight on a connection of its own. The path of an order is kept short (no
 * promises, no parsing), because the generator shares the processors with the system.
 */
export type LoadClient = { authorization: string; accountId: string };

export type LoadOptions = {
  /** The addresses of the servers. A client sends all its orders to one of them. */
  urls: readonly string[];
  clients: readonly LoadClient[];
  /** One account that sends this many orders a second, beside the others. */
  fast?: { client: LoadClient; ordersPerSecond: number } | undefined;
  bodies: readonly Buffer[];
  random: Random;
  seconds: number;
  /** Orders a second, by all clients together; 0: as fast as replies come. */
  rate: number;
};

export type LoadResult = {
  /** The number of acknowledged orders. */
  ok: number;
  /** Replies other than 2xx, by status and code. */
  refused: Map<string, number>;
  /** The number of orders without a reply. */
  unknown: number;
  seconds: number;
  /**
   * Microseconds until the whole reply of each acknowledged order. With a rate they count from the time at which the order
   * was due, so that a stall counts for all orders that it held up; without one, from sending.
   */
  latencyUs: Histogram;
  fastLatencyUs: Histogram;
  fastOk: number;
  entries: JournalEntry[];
  /** The last reply on each connection: all earlier orders of the connection were taken before that one. */
  lastReplies: LastReply[];
};
export type LastReply = {
  text: string;
  /** Its `X-BrokerX-Position`. */
  position: string;
};

const REPLY_TIMEOUT_MS = 30_000;
/** How long a client waits after a 5xx or a broken connection. */
const PAUSE_AFTER_REFUSAL_MS = 200;
const HIGHEST_LATENCY_US = 60_000_000;
/** Connections of the fast account: enough that a slow reply does not hold back the next order. */
const FAST_CONNECTIONS = 64;

export async function generateLoad(options: LoadOptions): Promise<LoadResult> {
  const { clients, fast, seconds, rate } = options;
  const result: LoadResult = {
    ok: 0,
    refused: new Map(),
    unknown: 0,
    seconds: 0,
    latencyUs: histogram(),
    fastLatencyUs: histogram(),
    fastOk: 0,
    entries: [],
    lastReplies: [],
  };
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  const intervalMs = rate > 0 ? (1000 * clients.length) / rate : 0;
  const running = clients.map((client, index) => {
    const url = options.urls[index % options.urls.length] ?? '';
    const connection = connect(options, url, client, result, result.latencyUs);
    // Paced clients begin spread over one interval, so that they do not send in step.
    return closedLoop(connection, startMs + (intervalMs * index) / clients.length, intervalMs, endMs);
  });
  if (fast) running.push(openLoop(options, fast, result, startMs, endMs));
  await Promise.all(running);
  result.seconds = (performance.now() - startMs) / 1000;
  return result;
}

type Connection = { send(done: () => void, dueMs?: number): void; close(): Promise<void> };

function connect(
  options: LoadOptions,
  url: string,
  client: LoadClient,
  result: LoadResult,
  latency: Histogram,
): Connection {
  const { bodies, random } = options;
  const http = new Client(url, {
    pipelining: 1,
    headersTimeout: REPLY_TIMEOUT_MS,
    bodyTimeout: REPLY_TIMEOUT_MS,
  });
  let status = 0;
  let chunks: Buffer[] = [];
  let begunMs = 0;
  let entry: JournalEntry;
  let done: () => void;
  let position = '';
  const handler = {
    onRequestStart() {},
    onResponseStart(_: unknown, statusCode: number, headers: Record<string, string | string[] | undefined>) {
      status = statusCode;
      if (status === 202) position = String(headers['x-brokerx-position']);
      chunks = [];
    },
    onResponseData(_: unknown, chunk: Buffer) {
      chunks.push(chunk);
    },
    onResponseEnd() {
      if (status === 202) {
        latency.recordValue(Math.round((performance.now() - begunMs) * 1000));
        entry.outcome = 'ok';
        result.ok += 1;
      } else {
        const text = Buffer.concat(chunks).toString();
        const code = `${status} ${/"code":"([A-Z_]+)"/.exec(text)?.[1] ?? ''}`.trim();
        result.refused.set(code, (result.refused.get(code) ?? 0) + 1);
        entry.outcome = status >= 500 ? 'unknown' : 'refused';
        entry.code = code;
      }
      if (status < 500) done();
      else setTimeout(done, PAUSE_AFTER_REFUSAL_MS);
    },
    onResponseError() {
      result.unknown += 1;
      setTimeout(done, PAUSE_AFTER_REFUSAL_MS);
    },
  };
  return {
    send(whenDone, dueMs = performance.now()) {
      done = whenDone;
      const key = mintId(idSource);
      entry = { key, accountId: client.accountId, kind: 'place', outcome: 'unknown' };
      result.entries.push(entry);
      begunMs = dueMs;
      http.dispatch(
        {
          method: 'POST',
          path: '/v1/orders',
          headers: [
            'content-type',
            'application/json',
            'authorization',
            client.authorization,
            'idempotency-key',
            key,
          ],
          body: random.pick(bodies),
        },
        handler,
      );
    },
    async close() {
      if (status === 202) result.lastReplies.push({ text: Buffer.concat(chunks).toString(), position });
      await http.close();
    },
  };
}

/** Sends the next order when the last one is answered, but not before it is due. */
function closedLoop(
  connection: Connection,
  startMs: number,
  intervalMs: number,
  endMs: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let nextMs = startMs;
    const next = () => {
      const nowMs = performance.now();
      if (nowMs >= endMs) {
        connection.close().then(resolve, reject);
        return;
      }
      if (nowMs < nextMs) {
        setTimeout(next, nextMs - nowMs);
        return;
      }
      const dueMs = intervalMs > 0 ? nextMs : nowMs;
      nextMs += intervalMs;
      connection.send(next, dueMs);
    };
    next();
  });
}

/** Sends orders at fixed times without waiting for replies, as long as a connection is free. */
async function openLoop(
  options: LoadOptions,
  fast: NonNullable<LoadOptions['fast']>,
  result: LoadResult,
  startMs: number,
  endMs: number,
): Promise<void> {
  const idle = Array.from({ length: FAST_CONNECTIONS }, () =>
    connect(options, options.urls[0] ?? '', fast.client, result, result.fastLatencyUs),
  );
  const intervalMs = 1000 / fast.ordersPerSecond;
  for (let dueMs = startMs; dueMs < endMs; dueMs += intervalMs) {
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await delay(waitMs);
    const connection = idle.pop();
    if (connection) connection.send(() => idle.push(connection), dueMs);
  }
  const deadlineMs = performance.now() + REPLY_TIMEOUT_MS;
  while (idle.length < FAST_CONNECTIONS && performance.now() < deadlineMs) await delay(10);
  result.fastOk = result.fastLatencyUs.totalCount;
  await Promise.all(idle.map((connection) => connection.close()));
}

const histogram = (): Histogram =>
  build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_LATENCY_US,
    numberOfSignificantValueDigits: 3,
  });
