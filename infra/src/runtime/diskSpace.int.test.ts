import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type DiskReserve, diskSpace, wholeDisk } from './diskSpace.ts';
import { createLog } from './log.ts';
import { realRuntime } from './runtime.ts';

/** A disk, watched by a clock of the test's own, and what was said of it. */
function watched(folder: string, reserve: Partial<DiskReserve>) {
  let nowMs = 0;
  const said: string[] = [];
  const write = (line: string) => void said.push((JSON.parse(line) as { msg: string }).msg);
  const log = createLog({ name: 'test', level: 'info', destination: { write } });
  const runtime = { ...realRuntime, monotonicMs: () => nowMs };
  const disk = diskSpace({ folder, runtime, log, reserve });
  return { shortage: () => disk.shortage(), wait: (ms: number) => (nowMs += ms), said };
}

test('a disk with more than the reserve is short of nothing', () => {
  const { shortage, said } = watched(tmpdir(), { bytes: 1 });
  expect(shortage()).toBeNull();
  expect(said).toEqual([]);
});

test('a shortage is told in numbers to whoever asks, and logged once', () => {
  const { bytes } = wholeDisk(tmpdir());
  const { shortage, wait, said } = watched(tmpdir(), { bytes: bytes + 1024 ** 2 });
  const expected = /^the disk of the database is full: \d+ MB are free, \d+ MB are needed$/;
  expect(shortage()).toMatch(expected);
  wait(1_000);
  expect(shortage()).toMatch(expected);
  expect(said).toHaveLength(1);
});

test('a disk on which no more files can be made is full, however many bytes are free', () => {
  const { shortage, said } = watched(tmpdir(), { bytes: 1, files: Number.MAX_SAFE_INTEGER });
  const { freeFiles } = wholeDisk(tmpdir());
  if (freeFiles === Number.POSITIVE_INFINITY) return expect(shortage()).toBeNull();
  expect(shortage()).toMatch(
    /^the disk of the database is full: \d+ more files \(inodes\) may be made, \d+ are needed$/,
  );
  expect(said).toHaveLength(1);
});

test('a disk that does not answer counts as full', () => {
  expect(watched(join(tmpdir(), 'nowhere'), { bytes: 1 }).shortage()).toMatch(/does not answer \(ENOENT/);
});
