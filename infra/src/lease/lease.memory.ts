import type { Runtime } from '../runtime/runtime.ts';
import type { LeaseEpoch, LeaseTable } from './holding.ts';
import type { Leases } from './lease.ts';
import { leasesOver } from './leasesOver.ts';

/** What the owners of one simulated installation share. */
export type MemoryLeases = Map<string, { owner: string | null; epoch: number; expiresAtMs: number }>;

/** Leases in memory, for unit tests and simulation. Owners that share `rows` contend with each other. */
export function memoryLeases(options: {
  rows: MemoryLeases;
  owner: string;
  runtime: Runtime;
  ttlMs?: number;
}): Leases {
  return leasesOver(memoryLeaseTable(options.rows, options.runtime), options);
}

export function memoryLeaseTable(
  rows: MemoryLeases,
  { monotonicMs }: Pick<Runtime, 'monotonicMs'>,
): LeaseTable {
  const rowOf = (owner: string, { name, epoch }: LeaseEpoch) => {
    const row = rows.get(name);
    return row?.owner === owner && row.epoch === epoch ? row : undefined;
  };
  return {
    async take(name, owner, ttlMs) {
      const row = rows.get(name);
      const nowMs = monotonicMs();
      if (row && row.owner !== null && row.owner !== owner && row.expiresAtMs > nowMs) return null;
      const epoch = (row?.epoch ?? 0) + 1;
      rows.set(name, { owner, epoch, expiresAtMs: nowMs + ttlMs });
      return epoch;
    },
    async renew(owner, leases, ttlMs) {
      const renewed = new Set<string>();
      for (const lease of leases) {
        const row = rowOf(owner, lease);
        if (!row) continue;
        row.expiresAtMs = monotonicMs() + ttlMs;
        renewed.add(lease.name);
      }
      return renewed;
    },
    async free(owner, leases) {
      for (const lease of leases) {
        const row = rowOf(owner, lease);
        if (row) row.owner = null;
      }
    },
    async running() {
      const nowMs = monotonicMs();
      return [...rows].flatMap(([name, { owner, expiresAtMs }]) =>
        owner !== null && expiresAtMs > nowMs ? [{ name, owner }] : [],
      );
    },
    async close() {},
  };
}
