import type { Metrics } from '@brokerx/infra';
import { Counter, Gauge } from 'prom-client';
import type { Accounts } from './account/accounts.ts';
import type { RunningSettlement } from './account/settlement.ts';
import type { Admission } from './admission.ts';

/** What command-api counts beside its requests. */
export type CommandMetrics = {
  outcome(command: string, outcome: string): void;
  settled(facts: number): void;
};

/** `settlement` is null while another process has that role. */
export function commandMetrics(
  { registry }: Metrics,
  read: {
    admission: Admission;
    accounts: Accounts;
    settlement: () => RunningSettlement | null;
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
  gauge('brokerx_unanswered_orders', 'Accepted orders that the engine has not answered.', () => {
    return admission.stats().unanswered;
  });
  gauge('brokerx_accounts_cached', 'Accounts in memory.', () => accounts.stats().cached);
  gauge('brokerx_account_commits_in_flight', 'Commits of accounts on their way to the disk.', () => {
    return accounts.stats().inFlight;
  });
  gauge(
    'brokerx_settlement_lag',
    'Positions that settlement is behind; 0 where another process settles.',
    () => {
      const running = settlement();
      return running ? Math.max(0, head() - running.position()) : 0;
    },
  );
  gauge('brokerx_parked_accounts', 'Accounts that cannot be settled; above 0 is an alarm.', () => {
    return settlement()?.parkedAccounts() ?? 0;
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
