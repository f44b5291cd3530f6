import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { deriveId, isUuid, mintId, uuidV7TimeMs } from './ids.ts';
import { formatPosition, parsePosition } from './storePosition.ts';
import { partitionOf } from './topics.ts';

const source = (nowMs: number) => ({
  nowMs: () => nowMs,
  randomBytes: (n: number) => new Uint8Array(n).fill(255),
});

test('a minted id is a version 7 UUID that carries its time', () => {
  const id = mintId(source(1_767_623_400_123));
  expect(id).toBe('019b8e90-9abb-7fff-bfff-ffffffffffff');
  expect(isUuid(id)).toBe(true);
  expect(uuidV7TimeMs(id)).toBe(1_767_623_400_123);
});

test('ids minted later sort later', () => {
  expect(mintId(source(2_000)) > mintId(source(1_999))).toBe(true);
});

test('a derived id is RFC 9562 version 5', () => {
  // The RFC's own example, appendix A.4: "www.example.com" in the DNS namespace.
  expect(deriveId('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe(
    '2ed6657d-e927-568b-95e1-2665a8aea6a2',
  );
});

test('a version 5 id has no time', () => {
  expect(uuidV7TimeMs('2ed6657d-e927-568b-95e1-2665a8aea6a2')).toBeUndefined();
});

test.for(['', 'x', '2ed6657d-e927-068b-95e1-2665a8aea6a2', '2ED6657D-E927-568B-95E1-2665A8AEA6A2'])(
  '%j is no UUID in canonical form',
  (text) => {
    expect(isUuid(text)).toBe(false);
  },
);

test('a position token says which store it is of', () => {
  const token = { storeId: '2ed6657d-e927-568b-95e1-2665a8aea6a2', position: 42 };
  expect(parsePosition(formatPosition(token))).toEqual(token);
  expect(parsePosition('42')).toBeUndefined();
});

test('the partition of a key never changes', () => {
  expect(['XEQT', 'AAPL', 'SHOP', 'É'].map((key) => partitionOf(key, 16))).toEqual([3, 11, 9, 1]);
});

test('the keys of the README are of version 7, minted now', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  const script = /^key\(\) +\{ node -pe '([^']+)'; \}$/m.exec(readme)?.[1] ?? '';
  const before = Date.now();
  const key = execFileSync(process.execPath, ['-pe', script], { encoding: 'utf8' }).trim();
  expect(isUuid(key)).toBe(true);
  expect(uuidV7TimeMs(key)).toBeGreaterThanOrEqual(before);
  expect(uuidV7TimeMs(key)).toBeLessThanOrEqual(Date.now());
});
