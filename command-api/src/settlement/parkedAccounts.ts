import type { BookOutput } from './settle.ts';
import type { SettledShard } from './settledShard.ts';

/** An output of a book, and the shard of this process that it belongs to. */
export type ShardOutput = BookOutput & { position: number; shard: SettledShard };

/** Outputs for one account, in the order of the store. */
export type Work = { outputs: ShardOutput[] /** The account must be known up to here. */; revision: number };

/**
 * Accounts that could not be settled: their outputs wait, those that come later behind them. What belongs to a shard
 * that has gone to another process is dropped: that one reads it again.
 */
export type ParkedAccounts = {
  has(accountId: string): boolean;
  size(): number;
  /** False: too much is parked already. Outputs that wait already, and now come again, are left out. */
  add(accountId: string, work: Work): boolean;
  entries(): [accountId: string, work: Work][];
  /** These outputs of the account wait no more. */
  settled(accountId: string, outputs: readonly ShardOutput[]): void;
  drop(shard: SettledShard): void;
  /** Position of the first output of the shard that waits; infinity when none does. */
  heldFrom(shard: SettledShard): number;
};

/** About 1 KB each; beyond it settlement waits as a whole. */
const PARKED_OUTPUTS_MAX = 50_000;

export function parkedAccounts(): ParkedAccounts {
  const parked = new Map<string, Work>();
  const keep = (accountId: string, outputs: ShardOutput[], revision: number) => {
    if (outputs.length > 0) parked.set(accountId, { outputs, revision });
    else parked.delete(accountId);
  };
  return {
    has: (accountId) => parked.has(accountId),
    size: () => parked.size,
    add(accountId, { outputs, revision }) {
      const before = parked.get(accountId);
      const isNew = (output: ShardOutput) =>
        !before?.outputs.some(
          ({ symbol, sequence }) => symbol === output.symbol && sequence >= output.sequence,
        );
      const added = outputs.filter(isNew);
      const held = Array.from(parked.values(), (work) => work.outputs.length).reduce((a, b) => a + b, 0);
      if (held + added.length > PARKED_OUTPUTS_MAX) return false;
      keep(accountId, [...(before?.outputs ?? []), ...added], Math.max(before?.revision ?? -1, revision));
      return true;
    },
    entries: () => [...parked],
    settled(accountId, outputs) {
      const done = new Set(outputs);
      const work = parked.get(accountId);
      if (!work) return;
      keep(
        accountId,
        work.outputs.filter((output) => !done.has(output)),
        work.revision,
      );
    },
    drop(shard) {
      for (const [accountId, { outputs, revision }] of parked) {
        keep(
          accountId,
          outputs.filter((output) => output.shard !== shard),
          revision,
        );
      }
    },
    heldFrom(shard) {
      let from = Number.POSITIVE_INFINITY;
      for (const { outputs } of parked.values()) {
        for (const output of outputs) if (output.shard === shard) from = Math.min(from, output.position);
      }
      return from;
    },
  };
}
