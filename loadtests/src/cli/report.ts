import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { REPOSITORY } from '../config.ts';

/** How the tools print: tables on standard output, progress on standard error, and one JSON object as the last line. */

/** The exit codes of tools that check the system. If several apply, the first one in this order counts. */
export const EXIT = {
  ok: 0,
  failed: 1,
  lost: 10,
  duplicate: 11,
  phantom: 12,
  mismatch: 13,
  unexpectedExit: 14,
  money: 15,
  liveness: 17,
  tooSlow: 18,
} as const;

export type Row = readonly (string | number)[];

/** Pads columns to their widest cell; numbers are right-aligned. */
export function table(head: readonly string[], rows: readonly Row[]): string {
  const cells = [
    head,
    ...rows.map((row) => row.map((cell) => (typeof cell === 'number' ? figure(cell) : cell))),
  ];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  const numeric = head.map((_, column) => rows.some((row) => typeof row[column] === 'number'));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        numeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [
    line(cells[0] ?? []),
    widths.map((width) => '─'.repeat(width)).join('  '),
    ...cells.slice(1).map(line),
  ].join('\n');
}

/** 1234.5678 → `1,234.57`; whole numbers keep no decimals. */
const figure = (value: number): string =>
  value.toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) >= 1000 ? 0 : 2 });

export const print = (text: string): void => void process.stdout.write(`${text}\n`);
export const progress = (text: string): void => void process.stderr.write(`${text}\n`);

/** The conditions that figures depend on: figures may be compared only where these are equal. */
export function circumstances(seed: number) {
  const processors = cpus();
  return {
    machine: `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    node: process.version,
    commit: commit(),
    seed,
  };
}

function commit(): string {
  try {
    const git = (...rest: string[]) =>
      execFileSync('git', rest, { cwd: REPOSITORY, encoding: 'utf8' }).trim();
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') ? ' with changes' : ''}`;
  } catch {
    return 'unknown';
  }
}
