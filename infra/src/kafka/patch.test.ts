import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { KAFKAJS_VERSION, patchKafkajs } from './patch.ts';
import { encodeProduce } from './produce.ts';

/** The part of kafkajs's inner request queue that the test uses. Each connection has one. */
type Queue = {
  pending: unknown[];
  inflight: Map<number, unknown>;
  throttleCheckTimeoutId: unknown;
  push(request: { entry: object; expectResponse: boolean; sendRequest: () => void }): void;
  fulfillRequest(reply: { correlationId: number; payload: unknown; size: number }): void;
  maybeThrottle(ms: number): void;
  checkPendingRequests(): void;
  destroy(): void;
};

const load = createRequire(import.meta.url);
const silent = () => undefined;

function queueOf(
  maxInFlightRequests: number | null,
): Queue & { wakeUps: number; sent: number[]; ask(n: number): void } {
  patchKafkajs();
  const RequestQueue = load('kafkajs/src/network/requestQueue/index.js') as new (options: object) => Queue;
  const queue = new RequestQueue({
    maxInFlightRequests,
    requestTimeout: 1_000,
    enforceRequestTimeout: false,
    clientId: 'test',
    broker: 'test:9092',
    logger: { debug: silent, warn: silent },
  });
  onTestFinished(() => queue.destroy());
  const sent: number[] = [];
  const check = queue.checkPendingRequests;
  const watched = Object.assign(queue, {
    wakeUps: 0,
    sent,
    ask(correlationId: number) {
      const entry = { correlationId, apiName: 'Produce', resolve: silent, reject: silent };
      queue.push({ entry, expectResponse: true, sendRequest: () => sent.push(correlationId) });
    },
  });
  watched.checkPendingRequests = function () {
    watched.wakeUps += 1;
    check.call(this);
  };
  return watched;
}

const answer = (queue: Queue, correlationId: number) =>
  queue.fulfillRequest({ correlationId, payload: null, size: 0 });

test('the installed kafkajs is the one that the changes were made for', () => {
  expect(load('kafkajs/package.json')).toMatchObject({ version: KAFKAJS_VERSION });
});

test('a connection without requests never wakes up, and Node has nothing to warn of', async () => {
  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on('warning', warned);
  onTestFinished(() => void process.off('warning', warned));
  const queue = queueOf(1);
  queue.ask(1);
  answer(queue, 1);
  const wakeUps = queue.wakeUps;
  await delay(150);
  expect(queue.wakeUps).toBe(wakeUps);
  expect(queue.throttleCheckTimeoutId).toBeNull();
  expect(warnings.filter(({ name }) => name.startsWith('Timeout'))).toEqual([]);
});

test('requests that wait for their turn are all sent, in order', () => {
  const queue = queueOf(1);
  for (const n of [1, 2, 3, 4, 5]) queue.ask(n);
  expect(queue.sent).toEqual([1]);
  for (const n of [1, 2, 3, 4]) answer(queue, n);
  expect(queue.sent).toEqual([1, 2, 3, 4, 5]);
  expect(queue.pending).toEqual([]);
});

test('a broker that asks for quiet is given it, and what waits is sent by itself afterwards', async () => {
  const queue = queueOf(null);
  const untilMs = performance.now() + 100;
  queue.maybeThrottle(100);
  queue.ask(1);
  expect(queue.sent).toEqual([]);
  await expect.poll(() => queue.sent, { interval: 5 }).toEqual([1]);
  // The broker's clock counts whole milliseconds.
  expect(performance.now()).toBeGreaterThan(untilMs - 2);
});

test.for([3, 4, 5, 6, 7])('what is sent is encoded by us, in version %i of the request', async (version) => {
  patchKafkajs();
  const { protocol } = load('kafkajs/src/protocol/requests/produce/index.js') as {
    protocol(of: { version: number }): (request: object) => {
      request: { apiVersion: number; encode(): Promise<{ buffer: Buffer }> };
    };
  };
  const messages = [{ key: 'k', value: 'v', headers: { type: 'test' }, timestamp: '1767623400000' }];
  const asked = {
    acks: -1,
    timeout: 1_000,
    producerId: '7',
    producerEpoch: 0,
    topicData: [{ topic: 't', partitions: [{ partition: 1, firstSequence: 2, messages }] }],
  };
  const { request } = protocol({ version })(asked);
  const encoded = await request.encode();
  expect(request.apiVersion).toBe(version);
  // kafkajs's own is an object of a class with many more.
  expect(encoded).toEqual({ buf: encoded.buffer, buffer: encodeProduce(asked) });
});
