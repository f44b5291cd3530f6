import type { BookOutput } from './settle.ts';
import type { SettledShard } from './settledShard.ts';

/** An output of a book, and the shard of this process that it belongs to. */
export type ShardOutput = BookOutput & { position: number; shard: SettledShard };

/** The outputs to settle for one account, in the order of the store. */
export type Work = { outputs: ShardOutput[] /** The account must be known up to here. */; revision: number };

/**
 * Accounts that could not be settled. Their outputs wait, and later outputs queue behind them. Outputs of a shard that
 * another process took over are dropped: that process reads them again.
 */
export type ParkedAccounts = {
  has(accountId: string): boolean;
  size(): number;
  /** Parks outputs, except repeated ones; false: too many outputs are parked already. */
  add(accountId: string, work: Work): boolean;
  entries(): [accountId: string, work: Work][];
  /** Removes outputs that are settled now. */
  settled(accountId: string, outputs: readonly ShardOutput[]): void;
  drop(shard: SettledShard): void;
  /** Position of the first parked output of the shard; infinity if none is parked. */
  heldFrom(shard: SettledShard): number;
};

/** Outputs parked in a process, about 1 KB each; beyond this all settlement waits. */
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
