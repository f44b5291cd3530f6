import { mintId } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import {
  emptyKeyLog,
  KEY_AGE_MAX_MS,
  KEYS_MAX,
  type KeyLog,
  keep,
  keyLogFrom,
  keyLogText,
  recall,
} from './keys.ts';

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
  hash: 'h',
  revision: 3,
  timeMs,
  clientOrderId,
});
const put = (log: KeyLog, id: string, timeMs: number, name: string | null = null) => {
  const forgotten: (string | null)[] = [];
  keep(log, id, kept(timeMs, name), (key) => forgotten.push(key.clientOrderId));
  return forgotten;
};

test.for([
  ['minted now', NOW, 'unknown'],
  ['minted a minute ahead', NOW + 60_000, 'unknown'],
  ['minted later than a minute ahead', NOW + 60_001, 'stale'],
  ['a day old', NOW - KEY_AGE_MAX_MS, 'unknown'],
  ['older than a day', NOW - KEY_AGE_MAX_MS - 1, 'stale'],
] as const)('an unknown version 7 key is judged by its time: %s', ([, ms, expected]) => {
  expect(recall(emptyKeyLog(), { id: keyAt(ms) }, NOW)).toBe(expected);
});

test('a key of another version is only ever known or unknown', () => {
  const id = '11111111-1111-4111-8111-111111111111';
  const log = emptyKeyLog();
  expect(recall(log, { id }, NOW)).toBe('unknown');
  put(log, id, NOW);
  expect(recall(log, { id }, NOW + 10 * KEY_AGE_MAX_MS)).toEqual(kept(NOW));
});

test('keys older than a day of event time are forgotten, and nothing at or before them is taken any more', () => {
  const log = emptyKeyLog();
  const old = keyAt(NOW);
  put(log, old, NOW, 'mine');
  const later = NOW + KEY_AGE_MAX_MS + 1;
  expect(put(log, keyAt(later), later)).toEqual(['mine']);
  expect(recall(log, { id: old }, NOW)).toBe('stale');
  expect(recall(log, { id: keyAt(NOW) }, NOW)).toBe('stale');
  expect(recall(log, { id: keyAt(NOW + 1) }, NOW)).toBe('unknown');
});

test('the newest ten thousand are kept', () => {
  const log = emptyKeyLog();
  const first = keyAt(NOW);
  put(log, first, NOW);
  for (let i = 1; i <= KEYS_MAX; i++) put(log, keyAt(NOW + i), NOW + i);
  expect(log.kept.size).toBe(KEYS_MAX);
  expect(recall(log, { id: first }, NOW)).toBe('stale');
});

test('a log written and read back is the same', () => {
  const log = emptyKeyLog();
  put(log, keyAt(NOW - 2 * KEY_AGE_MAX_MS), NOW - 2 * KEY_AGE_MAX_MS);
  put(log, keyAt(NOW), NOW, 'order:1');
  put(log, keyAt(NOW + 1), NOW + 1);
  expect(keyLogFrom(JSON.parse(JSON.stringify(keyLogText(log))))).toEqual(log);
  expect(keyLogFrom(keyLogText(emptyKeyLog()))).toEqual(emptyKeyLog());
});
