import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BENCHMARKS } from '../src/bench/table/benchmarks.ts';

/** As short as each can be: what they say is of no use, but that all of them say it is. */
const SHORT = ['--seconds=2', '--resting=1000', '--history=2000'];

test('every benchmark of the table runs, and tells each of its lines', () => {
  const out = mkdtempSync(join(tmpdir(), 'brokerx-bench-'));
  try {
    const ended = spawnSync(
      process.execPath,
      [join(import.meta.dirname, '../src/benchAll.ts'), ...SHORT, `--out=${out}`, '--json'],
      { encoding: 'utf8', maxBuffer: 1 << 26 },
    );
    const told = JSON.parse(ended.stdout.trimEnd().split('\n').at(-1) ?? '') as {
      failed: string[];
      lines: { figure: number; limit: { figure: number } | null }[];
    };
    expect(told.failed, ended.stderr).toEqual([]);
    expect(ended.status).toBe(0);
    expect(told.lines.length).toBeGreaterThan(BENCHMARKS.length);
    for (const { figure, limit } of told.lines) {
      expect(figure).toBeGreaterThan(0);
      if (limit) expect(limit.figure).toBeGreaterThan(0);
    }
  } finally {
    rmSync(out, { recursive: true });
  }
});
