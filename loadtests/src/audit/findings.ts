import { EXIT } from '../cli/report.ts';

/** What an audit can find, in order of precedence of its exit code. */
const CHECKS = ['lost', 'duplicate', 'phantom', 'money', 'mismatch', 'liveness'] as const;
export type Check = (typeof CHECKS)[number];
export type Finding = { check: Check; what: string };

export type Findings = {
  add(check: Check, what: string): void;
  /** Adds one unless the fact holds. */
  expect(holds: boolean, check: Check, what: () => string): void;
  count(check?: Check): number;
  /** The first ones of each check. */
  readonly list: readonly Finding[];
};

/** One fault may show in a million events; a person reads the first few. */
const KEPT_PER_CHECK = 50;

export function findings(): Findings {
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

export function exitCodeOf(found: Findings): number {
  const first = CHECKS.find((check) => found.count(check) > 0);
  return first ? EXIT[first] : EXIT.ok;
}
