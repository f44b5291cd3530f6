import type { Event } from '@brokerx/contracts';
import type { EventStore, Metrics, Runtime } from '@brokerx/infra';
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Accounts } from './account/accounts.ts';
import type { Admission } from './commands/admission.ts';
import type { RunningSettlement } from './settlement/settlement.ts';

/** What command-api counts beside its requests. */
export type CommandMetrics = {
  outcome(command: string, outcome: string): void;
  settled(facts: number): void;
};

export function commandMetrics(
  { registry }: Metrics,
  read: {
    admission: Admission;
    accounts: Accounts;
    settlement: Pick<RunningSettlement, 'position' | 'shards' | 'parkedAccounts'>;
    /** Position of the newest event that this process knows of. */
    head: () => number;
  },
): CommandMetrics {
  const { admission, accounts, settlement, head } = read;
  const registers = [registry];
  const commands = new Counter({
    name: 'brokerx_commands_total',
    help: 'Commands by how they ended: accepted, replayed, failed, or the code of the refusal.',
    labelNames: ['command', 'outcome'] as const,
    registers,
  });
  const facts = new Counter({
    name: 'brokerx_settled_facts_total',
    help: 'Facts of accounts that settlement recorded.',
    registers,
  });
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge('brokerx_requests_in_flight', 'Commands being handled.', () => admission.stats().requests);
  gauge('brokerx_request_bytes_in_flight', 'Bytes of their bodies.', () => admission.stats().bytes);
  gauge(
    'brokerx_requests_limit',
    'Commands that may be handled at once; lower while this process is slow.',
    () => {
      return admission.stats().limit;
    },
  );
  gauge(
    'brokerx_unanswered_orders',
    'Orders accepted by this process that the engine has not answered.',
    () => {
      return admission.stats().unanswered;
    },
  );
  gauge('brokerx_accounts_cached', 'Accounts in memory.', () => accounts.stats().cached);
  gauge('brokerx_account_commits_in_flight', 'Commits of accounts on their way to the disk.', () => {
    return accounts.stats().inFlight;
  });
  gauge('brokerx_settlement_shards', 'Shards of symbols that this process settles.', settlement.shards);
  gauge('brokerx_settlement_lag', 'Positions that settlement of these shards is behind.', () => {
    const position = settlement.position();
    return position === null ? 0 : Math.max(0, head() - position);
  });
  gauge('brokerx_parked_accounts', 'Accounts that cannot be settled; above 0 is an alarm.', () => {
    return settlement.parkedAccounts();
  });

  const counters = new Map<string, { inc(): void }>();
  return {
    outcome(command, outcome) {
      const key = `${command} ${outcome}`;
      let counter = counters.get(key);
      if (!counter) {
        counter = commands.labels(command, outcome);
        counters.set(key, counter);
      }
      counter.inc();
    },
    settled: (count) => facts.inc(count),
  };
}

/** The store, with its appends measured: how many commits share one, and how long it takes to be on disk. */
export function measured(
  store: EventStore<Event>,
  { registry }: Metrics,
  runtime: Runtime,
): EventStore<Event> {
  const registers = [registry];
  const commitsPerAppend = new Histogram({
    name: 'brokerx_append_commits',
    help: 'Commits that share one append (group commit).',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
    registers,
  });
  const seconds = new Histogram({
    name: 'brokerx_append_seconds',
    help: 'Time of one append until it is on disk.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  });
  return {
    ...store,
    async append(commits) {
      const startedMs = runtime.monotonicMs();
      const verdicts = await store.append(commits);
      commitsPerAppend.observe(commits.length);
      seconds.observe((runtime.monotonicMs() - startedMs) / 1_000);
      return verdicts;
    },
  };
}
