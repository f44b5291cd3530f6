import { EXIT } from '../cli/report.ts';

/** The kinds of finding, in the order in which they decide the exit code. */
const CHECKS = ['lost', 'duplicate', 'phantom', 'money', 'mismatch', 'liveness'] as const;
export type Check = (typeof CHECKS)[number];
export type Finding = { check: Check; what: string };

export type Findings = {
  add(check: Check, what: string): void;
  /** Adds a finding unless the condition holds. */
  expect(holds: boolean, check: Check, what: () => string): void;
  count(check?: Check): number;
  /** The first `KEPT_PER_CHECK` of each check. */
  readonly list: readonly Finding[];
};

/** Findings listed for each check: one fault may show in a million events, and nobody reads more than the first few. */
const KEPT_PER_CHECK = 50;

export function newFindings(): Findings {
  const list: Finding[] = [];
  const counts = new Map<Check, number>();
  const add = (check: Check, what: string) => {
    const count = (counts.get(check) ?? 0) + 1;
    counts.set(check, count);
    if (count <= KEPT_PER_CHECK) list.push({ check, what });
  };
  return {
    add,
    expect: (holds, check, what) => {
      if (!holds) add(check, what());
    },
    count: (check) =>
      check ? (counts.get(check) ?? 0) : [...counts.values()].reduce((sum, n) => sum + n, 0),
    list,
  };
}

export function exitCodeOf(findings: Findings): number {
  const first = CHECKS.find((check) => findings.count(check) > 0);
  return first ? EXIT[first] : EXIT.ok;
}
