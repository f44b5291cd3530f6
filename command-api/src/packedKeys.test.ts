import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type KeptKey, PackedKeys } from './packedKeys.ts';

/** Packed keys beside a plain `Map`, which does the same and says so more simply. */
const answer = (revision: number, clientOrderId: string | null = null): KeptKey => ({
  hash: revision * 7,
  revision,
  timeMs: 1_772_461_800_000 + revision,
  clientOrderId,
});
/** Few ids, most of them alike, so that they meet at one place of the index. */
const idOf = (n: number) =>
  `${'0'.repeat(7)}${n % 3}-0000-7000-8000-${String(n).padStart(12, '0').replaceAll('9', 'f')}`;

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ set: fc.nat({ max: 60 }), name: fc.boolean() }) },
  { weight: 3, arbitrary: fc.constant('drop' as const) },
  { weight: 1, arbitrary: fc.record({ get: fc.nat({ max: 80 }) }) },
);

test('keys are found, kept in order and dropped as a map would', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const keys = new PackedKeys();
      const model = new Map<string, KeptKey>();
      steps.forEach((next, revision) => {
        if (next === 'drop') {
          const [oldest] = model;
          expect(keys.oldestMs()).toBe(oldest?.[1].timeMs);
          if (!oldest) return;
          model.delete(oldest[0]);
          expect(keys.dropOldest()).toEqual(oldest);
        } else if ('set' in next) {
          const key = answer(revision, next.name ? `order-${revision}` : null);
          model.set(idOf(next.set), key);
          keys.set(idOf(next.set), key);
        } else {
          expect(keys.get(idOf(next.get))).toEqual(model.get(idOf(next.get)));
        }
      });
      expect([...keys]).toEqual([...model]);
      expect(keys.size).toBe(model.size);
    }),
    { numRuns: 1_000 },
  );
});

test('many keys that come and go take at most 48 bytes each', () => {
  const keys = new PackedKeys();
  let bytesMax = 0;
  for (let n = 0; n < 50_000; n++) {
    keys.set(idOf(n), answer(n));
    if (keys.size > 10_000) keys.dropOldest();
    if (keys.size > 100) bytesMax = Math.max(bytesMax, keys.bytes / keys.size);
  }
  expect([...keys].map(([id]) => id)).toEqual(Array.from({ length: 10_000 }, (_, i) => idOf(40_000 + i)));
  expect(bytesMax).toBeLessThanOrEqual(48);
});

test('two that hold the same are equal, and others are not', () => {
  const [a, b] = [new PackedKeys(), new PackedKeys()];
  for (const keys of [a, b]) for (let n = 0; n < 20; n++) keys.set(idOf(n), answer(n));
  b.set(idOf(20), answer(20));
  expect(b).not.toEqual(a);
  a.set(idOf(20), answer(20));
  a.set(idOf(21), answer(21));
  b.set(idOf(21), answer(21, 'mine'));
  expect(b).not.toEqual(a);
  b.set(idOf(21), answer(21));
  expect(b).toEqual(a);
});
