import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from './crc32c.ts';
import { encodeProduce, isTextRequest } from './produce.ts';

const load = createRequire(import.meta.url);
/** kafkajs's own, unchanged: this file does not load what changes it. */
const reference = load('kafkajs/src/protocol/requests/produce/v3/request.js') as (request: object) => {
  encode(): Promise<{ buffer: Buffer }>;
};
const referenceCrc = load('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (bytes: Buffer) => number;

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary', maxLength: 100 }),
  fc.string({ minLength: 60, maxLength: 70 }),
);
const message = fc.record({
  key: fc.option(text),
  value: fc.option(
    fc.oneof(
      text,
      fc.nat(20_000).map((length) => 'é'.repeat(length)),
    ),
  ),
  // kafkajs orders times as text: of one length, that is their order.
  timestamp: fc.integer({ min: 1_000_000_000_000, max: 9_999_999_999_999 }).map(String),
  headers: fc.dictionary(text, text, { maxKeys: 4 }),
});
const request = fc.record({
  acks: fc.constant(-1),
  timeout: fc.nat(60_000),
  producerId: fc.bigInt({ min: 0n, max: 2n ** 62n }).map(String),
  producerEpoch: fc.nat(32_000),
  topicData: fc.array(
    fc.record({
      topic: fc.string({ minLength: 1, maxLength: 40 }),
      partitions: fc.array(
        fc.record({
          partition: fc.nat(1_000),
          firstSequence: fc.nat(2 ** 31 - 1),
          messages: fc.array(message, { minLength: 1, maxLength: 20 }),
        }),
        { minLength: 1, maxLength: 3 },
      ),
    }),
    { minLength: 1, maxLength: 2 },
  ),
});

test('a request is encoded into the bytes that kafkajs makes', async () => {
  await fc.assert(
    fc.asyncProperty(request, async (asked) => {
      const { buffer } = await reference(asked).encode();
      expect(encodeProduce(asked).equals(buffer)).toBe(true);
    }),
  );
});

test('what is not text, not timed, compressed or in a transaction is left to kafkajs', () => {
  const sent = { key: null, value: 'v', headers: { type: 'watermark' }, timestamp: '1767623400000' };
  const asking = (change: object = {}, more: object = {}) =>
    isTextRequest({
      acks: -1,
      timeout: 1_000,
      producerId: '7',
      producerEpoch: 0,
      compression: 0,
      topicData: [
        { topic: 't', partitions: [{ partition: 0, firstSequence: 0, messages: [{ ...sent, ...change }] }] },
      ],
      ...more,
    });
  expect(asking()).toBe(true);
  expect(asking({ value: Buffer.from('v') })).toBe(false);
  expect(asking({ headers: { type: ['a', 'b'] } })).toBe(false);
  expect(asking({ timestamp: undefined })).toBe(false);
  expect(asking({}, { compression: 1 })).toBe(false);
  expect(asking({}, { transactionalId: 'x' })).toBe(false);
});

test('the check sum is CRC-32C', () => {
  // The check value of the standard, and 32 zeros of RFC 3720.
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(10), (bytes, start) => {
      const part = Buffer.from(bytes).subarray(start);
      expect(crc32c(bytes, Math.min(start, bytes.length))).toBe(referenceCrc(part));
    }),
  );
});

test('a batch of many messages, and times that go back', async () => {
  const messages = Array.from({ length: 300 }, (_, i) => ({
    key: 'AAPL',
    value: `{"n":${i}}`,
    timestamp: String(1_767_623_400_000 - i * 1_000_000 * (i % 2)),
    headers: { position: String(i), type: 'OrderPlaced.v1' },
  }));
  const asked = {
    acks: -1,
    timeout: 1_000,
    producerId: '4000',
    producerEpoch: 3,
    topicData: [{ topic: 'brokerx.orders', partitions: [{ partition: 11, firstSequence: 77, messages }] }],
  };
  const { buffer } = await reference(asked).encode();
  expect(encodeProduce(asked).equals(buffer)).toBe(true);
});
