import { setTimeout as delay } from 'node:timers/promises';
import { idSource } from '@brokerx/client';
import { mintId } from '@brokerx/contracts';
import { build, type Histogram } from 'hdr-histogram-js';
import { Client } from 'undici';
import type { JournalEntry } from '../journal.ts';
import { type Random } from '../random.ts';

/**
 * Keeps many clients busy with one order each in flight. Each has one connection of its own; the path of an order is
 * kept bare (no promises, no parsing) because generator and system share the processors.
 */
export type LoadClient = { authorization: string; accountId: string };

export type LoadOptions = {
  /** The addresses of the servers. A client sends all its orders to one of them. */
  urls: readonly string[];
  clients: readonly LoadClient[];
  /** One account that alone sends so many orders a second, beside the others. */
  fast?: { client: LoadClient; ordersPerSecond: number } | undefined;
  bodies: readonly Buffer[];
  random: Random;
  seconds: number;
  /** Orders a second of all clients together; 0: as fast as answers come. */
  rate: number;
};

export type LoadResult = {
  /** Acknowledged orders. */
  ok: number;
  /** Replies other than 2xx, by status and code. */
  refused: Map<string, number>;
  /** No reply. */
  unknown: number;
  seconds: number;
  /**
   * Microseconds to the whole reply of every acknowledged order: from the moment at which it was due where orders
   * have times, so that a stall counts for all orders that it held up; else from sending.
   */
  latencyUs: Histogram;
  fastLatencyUs: Histogram;
  fastOk: number;
  entries: JournalEntry[];
  /** Last reply of each connection: everything sent before it was taken before it. */
  lastReplies: LastReply[];
};
export type LastReply = {
  text: string;
  /** Its `X-BrokerX-Position`. */
  position: string;
};

const REPLY_TIMEOUT_MS = 30_000;
/** After a 503 or a broken connection a client waits, as the reply asks for. */
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
  const begun = performance.now();
  const end = begun + seconds * 1000;
  const intervalMs = rate > 0 ? (1000 * clients.length) / rate : 0;
  const running = clients.map((client, index) => {
    const url = options.urls[index % options.urls.length] ?? '';
    const connection = connect(options, url, client, result, result.latencyUs);
    // Paced clients begin spread over one interval, so that they do not send in step.
    return closedLoop(connection, begun + (intervalMs * index) / clients.length, intervalMs, end);
  });
  if (fast) running.push(openLoop(options, fast, result, begun, end));
  await Promise.all(running);
  result.seconds = (performance.now() - begun) / 1000;
  return result;
}

type Connection = { send(done: () => void, dueAt?: number): void; close(): Promise<void> };

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
  let begunAt = 0;
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
        latency.recordValue(Math.round((performance.now() - begunAt) * 1000));
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
    send(whenDone, dueAt = performance.now()) {
      done = whenDone;
      const key = mintId(idSource);
      entry = { key, accountId: client.accountId, kind: 'place', outcome: 'unknown' };
      result.entries.push(entry);
      begunAt = dueAt;
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

/** The next order goes out when the last one is answered, but not before its time. */
function closedLoop(connection: Connection, startAt: number, intervalMs: number, end: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let due = startAt;
    const next = () => {
      const now = performance.now();
      if (now >= end) {
        connection.close().then(resolve, reject);
        return;
      }
      if (now < due) {
        setTimeout(next, due - now);
        return;
      }
      const dueAt = intervalMs > 0 ? due : now;
      due += intervalMs;
      connection.send(next, dueAt);
    };
    next();
  });
}

/** Orders at fixed times, whatever the replies do, as far as free connections reach. */
async function openLoop(
  options: LoadOptions,
  fast: NonNullable<LoadOptions['fast']>,
  result: LoadResult,
  begun: number,
  end: number,
): Promise<void> {
  const free = Array.from({ length: FAST_CONNECTIONS }, () =>
    connect(options, options.urls[0] ?? '', fast.client, result, result.fastLatencyUs),
  );
  const intervalMs = 1000 / fast.ordersPerSecond;
  for (let due = begun; due < end; due += intervalMs) {
    const wait = due - performance.now();
    if (wait > 0) await delay(wait);
    const connection = free.pop();
    if (connection) connection.send(() => free.push(connection), due);
  }
  const deadline = performance.now() + REPLY_TIMEOUT_MS;
  while (free.length < FAST_CONNECTIONS && performance.now() < deadline) await delay(10);
  result.fastOk = result.fastLatencyUs.totalCount;
  await Promise.all(free.map((connection) => connection.close()));
}

const histogram = (): Histogram =>
  build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_LATENCY_US,
    numberOfSignificantValueDigits: 3,
  });
