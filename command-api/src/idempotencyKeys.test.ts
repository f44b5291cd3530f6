import { mintId } from '@brokerx/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  emptyKeyLog,
  KEY_AGE_MAX_MS,
  KEY_AHEAD_MAX_MS,
  KEYS_MAX,
  type KeyLog,
  keep,
  keyLogFrom,
  keyLogText,
  recall,
} from './idempotencyKeys.ts';

const NOW = Date.parse('2026-03-02T14:30:00.000Z');
let entropy = 0;
/** A version 7 key minted at a time. */
const keyAt = (ms: number) =>
  mintId({
    nowMs: () => ms,
    randomBytes: (count) => {
      entropy += 1;
      return Uint8Array.from({ length: count }, (_, i) => (entropy >> (8 * (i % 4))) & 255);
    },
  });
const kept = (timeMs: number, clientOrderId: string | null = null) => ({
  hash: 7,
  revision: 3,
  timeMs,
  clientOrderId,
});
const put = (log: KeyLog, id: string, timeMs: number, name: string | null = null) => {
  const forgotten: (string | null)[] = [];
  keep(log, id, kept(timeMs, name), (key) => forgotten.push(key.clientOrderId));
  return forgotten;
};

/** `answered`, `unknown`, or the code of the refusal. */
const judged = (log: KeyLog, id: string, nowMs: number): string => {
  const known = recall(log, { id }, nowMs);
  if (known === 'unknown') return known;
  return 'code' in known ? known.code : 'answered';
};
const V4 = '11111111-1111-4111-8111-111111111111';

test.for([
  ['minted now', NOW, 'unknown'],
  ['minted a minute ahead', NOW + 60_000, 'unknown'],
  ['minted later than a minute ahead', NOW + 60_001, 'STALE_REQUEST'],
  ['a day old', NOW - KEY_AGE_MAX_MS, 'unknown'],
  ['older than a day', NOW - KEY_AGE_MAX_MS - 1, 'STALE_REQUEST'],
] as const)('an unknown version 7 key is judged by its time: %s', ([, ms, expected]) => {
  expect(judged(emptyKeyLog(), keyAt(ms), NOW)).toBe(expected);
});

test('a key from the near future says when it may come back, and is taken then; others never are', () => {
  const key = keyAt(NOW + 5 * 60_000);
  const refusal = recall(emptyKeyLog(), { id: key }, NOW);
  expect(refusal).toEqual({
    code: 'STALE_REQUEST',
    detail: 'the key was minted at 2026-03-02T14:35:00.000Z; it is 2026-03-02T14:30:00.000Z',
    retryAfterSeconds: 240,
  });
  expect(judged(emptyKeyLog(), key, NOW + 240_000)).toBe('unknown');
  for (const ms of [NOW - 2 * KEY_AGE_MAX_MS, NOW + 2 * KEY_AGE_MAX_MS]) {
    expect(recall(emptyKeyLog(), { id: keyAt(ms) }, NOW)).not.toHaveProperty('retryAfterSeconds');
  }
});

test('a key of another version is known or unknown as long as nothing of the last day was forgotten', () => {
  const log = emptyKeyLog();
  expect(judged(log, V4, NOW)).toBe('unknown');
  put(log, V4, NOW);
  expect(recall(log, { id: V4 }, NOW + 10 * KEY_AGE_MAX_MS)).toEqual(kept(NOW));
});

test('who had to forget a key of the last day may send version 7 alone, until that day is over', () => {
  const log = emptyKeyLog();
  put(log, V4, NOW);
  for (let i = 1; i < KEYS_MAX; i++) put(log, keyAt(NOW + i), NOW + i);
  expect(judged(log, V4, NOW)).toBe('answered');
  const later = NOW + KEYS_MAX;
  put(log, keyAt(later), later);
  expect(recall(log, { id: V4 }, later)).toEqual({
    code: 'IDEMPOTENCY_KEY_VERSION',
    detail: 'until 2026-03-03T14:30:00.000Z only version 7 is taken',
  });
  expect(judged(log, '22222222-2222-4222-8222-222222222222', later)).toBe('IDEMPOTENCY_KEY_VERSION');
  expect(judged(log, '2ed6657d-e927-568b-95e1-2665a8aea6a2', later)).toBe('IDEMPOTENCY_KEY_VERSION');
  expect(judged(log, keyAt(later), later)).toBe('unknown');
  expect(judged(log, V4, NOW + KEY_AGE_MAX_MS - 1)).toBe('IDEMPOTENCY_KEY_VERSION');
  expect(judged(log, V4, NOW + KEY_AGE_MAX_MS)).toBe('unknown');
});

test('keys older than a day of event time are forgotten, and nothing at or before them is taken any more', () => {
  const log = emptyKeyLog();
  const old = keyAt(NOW);
  put(log, old, NOW, 'mine');
  expect(put(log, keyAt(NOW + KEY_AGE_MAX_MS), NOW + KEY_AGE_MAX_MS)).toEqual([]);
  const later = NOW + KEY_AGE_MAX_MS + KEY_AHEAD_MAX_MS + 1;
  expect(put(log, keyAt(later), later)).toEqual(['mine']);
  expect(judged(log, old, NOW)).toBe('STALE_REQUEST');
  expect(judged(log, keyAt(NOW), NOW)).toBe('STALE_REQUEST');
  expect(judged(log, keyAt(NOW + 1), NOW)).toBe('unknown');
  // The day that is over keeps nobody from other versions.
  expect(judged(log, V4, later)).toBe('unknown');
  expect(judged(log, V4, later - KEY_AHEAD_MAX_MS)).toBe('unknown');
});

test('the newest ten thousand are kept', () => {
  const log = emptyKeyLog();
  const first = keyAt(NOW);
  put(log, first, NOW);
  for (let i = 1; i <= KEYS_MAX; i++) put(log, keyAt(NOW + i), NOW + i);
  expect(log.kept.size).toBe(KEYS_MAX);
  expect(judged(log, first, NOW)).toBe('STALE_REQUEST');
});

/** A few keys that come again and again, of both kinds, while a log with little room forgets, is written and read back. */
const ROOM = 3;
const HOUR_MS = 3_600_000;
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ send: fc.nat({ max: 15 }) }) },
    { weight: 3, arbitrary: fc.record({ mint: fc.constantFrom(0, -1, -23, -25, 1) }) },
    {
      weight: 3,
      arbitrary: fc.record({ waitMs: fc.constantFrom(1, 40_000, HOUR_MS, 23 * HOUR_MS, 25 * HOUR_MS) }),
    },
    // A clock that is set back, or another process that is behind.
    { weight: 1, arbitrary: fc.record({ waitMs: fc.constantFrom(-1, -1_000, -HOUR_MS, -25 * HOUR_MS) }) },
    { weight: 1, arbitrary: fc.constant({ restart: 'snapshot' as const }) },
    { weight: 1, arbitrary: fc.constant({ restart: 'events' as const }) },
  ),
  { maxLength: 80 },
);

test('no key is carried out twice, whatever is sent, forgotten, written and read back', () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      const keys = Array.from({ length: 6 }, (_, i) => `0000000${i}-0000-4000-8000-000000000000`);
      for (let i = 0; i < 4; i++) keys.push(keyAt(NOW + i));
      let nowMs = NOW;
      let log = emptyKeyLog();
      const events: { id: string; timeMs: number }[] = [];
      const fold = (into: KeyLog, { id, timeMs }: { id: string; timeMs: number }) =>
        keep(into, id, kept(timeMs), () => undefined, ROOM);
      for (const step of sequence) {
        if ('waitMs' in step) nowMs += step.waitMs;
        else if ('mint' in step) keys.push(keyAt(nowMs + step.mint * HOUR_MS));
        else if ('restart' in step) {
          if (step.restart === 'snapshot') log = keyLogFrom(JSON.parse(JSON.stringify(keyLogText(log))));
          else {
            log = emptyKeyLog();
            for (const event of events) fold(log, event);
          }
        } else {
          const id = keys[step.send % keys.length] ?? '';
          if (judged(log, id, nowMs) !== 'unknown') continue;
          const before = events.findLast((event) => event.id === id);
          // For other versions the promise is for a day.
          if (before && id[14] === '4') expect(nowMs - before.timeMs).toBeGreaterThanOrEqual(KEY_AGE_MAX_MS);
          else expect(before).toBeUndefined();
          const event = { id, timeMs: nowMs };
          events.push(event);
          fold(log, event);
        }
      }
    }),
    { numRuns: 3_000 },
  );
});

test('a log written and read back is the same', () => {
  const log = emptyKeyLog();
  put(log, keyAt(NOW - 2 * KEY_AGE_MAX_MS), NOW - 2 * KEY_AGE_MAX_MS);
  put(log, keyAt(NOW), NOW, 'order:1');
  put(log, keyAt(NOW + 1), NOW + 1);
  expect(keyLogFrom(JSON.parse(JSON.stringify(keyLogText(log))))).toEqual(log);
  expect(keyLogFrom(keyLogText(emptyKeyLog()))).toEqual(emptyKeyLog());
});
