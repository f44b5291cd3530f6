import type { Action, Scenario } from '../scenarios/scenario.ts';

/** What the run and its generator processes tell each other, over the channel that Node gives a child process. */

/** Somebody whom the load signs in as. */
export type LoadUser = {
  email: string;
  password: string;
  accountId: string;
  token: string;
  /** Unix time at which the token expires. */
  expiresMs: number;
};

export type LoadPlan = {
  kind: 'load';
  scenario: Scenario;
  seed: number;
  commandUrls: readonly string[];
  queryUrls: readonly string[];
  symbols: readonly string[];
  users: readonly LoadUser[];
  /** Which of how many generator processes this one is: a user belongs to one of them. */
  index: number;
  of: number;
  connectionsMax: number;
  intervalMs: number;
  /** A file of its own for the journal of its commands. */
  journalFile: string;
};

/** Follows single orders through all stages, beside the load. */
export type ProbePlan = {
  kind: 'probe';
  commandUrl: string;
  queryUrl: string;
  symbol: string;
  user: LoadUser;
  /** Position of the newest event before the run. */
  after: number;
  /** A token that may read raw events. */
  operatorToken: string;
  ordersPerSecond: number;
  seconds: number;
  warmUpSeconds: number;
  intervalMs: number;
  limitPrice: string;
  journalFile: string;
};

export type ToGenerator =
  | LoadPlan
  | ProbePlan
  | { kind: 'start'; beginMs: number }
  | { kind: 'operator token'; token: string }
  | { kind: 'stop' };

export type Told = {
  sent: number;
  /** Requests whose reply is a 2xx; of batches the orders. */
  ok: number;
  /** No reply: the outcome is unknown. */
  unknown: number;
  /** Due, and not sent: too many were waiting already. */
  unsent: number;
  /** Replies other than 2xx, by status and code. */
  refused: Record<string, number>;
  /** Microseconds from the due time to the whole reply, as an encoded HdrHistogram: of 2xx, and of the others. */
  latency: string;
  refusedLatency: string;
};

export type Interval = {
  /** Counted from the beginning; those after the end hold replies that came late. */
  index: number;
  actions: Partial<Record<Action, Told>>;
  /** What was due while the run warmed up. */
  early: Partial<Record<Action, Told>>;
  /** Microseconds between the moment at which a request was due and that at which it was sent. */
  lateness: string;
  inFlight: number;
  waiting: number;
  users: number;
  /** Messages and bytes that followers took. */
  streamed: { messages: number; bytes: number };
  slowOpen: number;
  cpuUs: number;
  memoryBytes: number;
};

export const STAGES = ['acknowledgement', 'match', 'settlement', 'view', 'stream'] as const;
/** What is over when a stage is: told in `docs/load.md`. */
export type Stage = (typeof STAGES)[number];

export type ProbeInterval = {
  index: number;
  sent: number;
  /** Orders of which a stage was not seen within the time that a probe waits. */
  unseen: number;
  refused: number;
  /** Microseconds from the due time, as encoded HdrHistograms. */
  stages: Record<Stage, string>;
  cpuUs: number;
};

/** The last order of a connection or user: what was sent before it was taken before it. */
export type LastOrder = { id: string; position: string };

export type FromGenerator =
  | { kind: 'ready' }
  | { kind: 'interval'; interval: Interval }
  | { kind: 'probe interval'; interval: ProbeInterval }
  | { kind: 'ended'; last: LastOrder[]; renewals: number; renewalsFailed: number }
  | { kind: 'failed'; error: string };
