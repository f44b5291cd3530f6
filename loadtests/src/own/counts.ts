import type { Command } from 'commander';
import { wholeNumber } from '../cli/wholeNumber.ts';

/** The number of processes of each kind in an installation of a tool's own. */
export type Counts = { commandApis?: number; engines?: number; projectors?: number; queryApis?: number };

const FLAGS = {
  commandApis: '--command-apis',
  engines: '--engines',
  projectors: '--projectors',
  queryApis: '--query-apis',
} as const;

export function withCounts(program: Command): Command {
  for (const flag of Object.values(FLAGS)) {
    const what = `how many ${flag.slice(2)} an installation of its own has`;
    program.option(`${flag} <n>`, what, wholeNumber(1), 1);
  }
  return program;
}

/** Picks the counts from all options of a tool. */
export const countsOf = ({
  commandApis = 1,
  engines = 1,
  projectors = 1,
  queryApis = 1,
}: Counts): Counts => ({
  commandApis,
  engines,
  projectors,
  queryApis,
});

/** The counts as arguments of `brokerx start`. */
export const countFlags = (counts: Counts = {}): string[] =>
  Object.entries(counts).flatMap(([kind, count]) => [FLAGS[kind as keyof Counts], String(count)]);
