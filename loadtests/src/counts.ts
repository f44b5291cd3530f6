import type { Command } from 'commander';

/** How many processes of each kind an installation of a tool's own has. */
export type Counts = { commandApis?: number; engines?: number; projectors?: number; queryApis?: number };

/** As commander gives them. */
export type CountOptions = {
  commandApis?: string;
  engines?: string;
  projectors?: string;
  queryApis?: string;
};

const FLAGS = {
  commandApis: '--command-apis',
  engines: '--engines',
  projectors: '--projectors',
  queryApis: '--query-apis',
} as const;

export function withCounts(program: Command): Command {
  for (const flag of Object.values(FLAGS)) {
    program.option(`${flag} <n>`, `how many ${flag.slice(2)} an installation of its own has`, '1');
  }
  return program;
}

export const countsOf = (options: CountOptions): Counts => ({
  commandApis: Number(options.commandApis ?? 1),
  engines: Number(options.engines ?? 1),
  projectors: Number(options.projectors ?? 1),
  queryApis: Number(options.queryApis ?? 1),
});

/** As `brokerx start` takes them. */
export const countFlags = (counts: Counts = {}): string[] =>
  Object.entries(counts).flatMap(([kind, count]) => [FLAGS[kind as keyof Counts], String(count)]);
