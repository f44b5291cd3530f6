import type { Leases } from './lease.ts';
import { leasesOver } from './leaseHolding.ts';
import type { Runtime } from './runtime.ts';

/** What the owners of one simulated installation share. */
export type MemoryLeases = Map<string, { owner: string | null; epoch: number; expiresAtMs: number }>;

/** Leases in memory, for unit tests and simulation. Owners that share `rows` contend with each other. */
export function memoryLeases(options: {
  rows: MemoryLeases;
  owner: string;
  runtime: Runtime;
  ttlMs?: number;
}): Leases {
  const { rows, runtime } = options;
  const own = (name: string, owner: string, epoch: number) => {
    const row = rows.get(name);
    return row?.owner === owner && row.epoch === epoch ? row : undefined;
  };

  return leasesOver(
    {
      async take(name, owner, ttlMs) {
        const row = rows.get(name);
        const nowMs = runtime.monotonicMs();
        if (row && row.owner !== null && row.owner !== owner && row.expiresAtMs > nowMs) return null;
        const epoch = (row?.epoch ?? 0) + 1;
        rows.set(name, { owner, epoch, expiresAtMs: nowMs + ttlMs });
        return epoch;
      },
      async renew(name, owner, epoch, ttlMs) {
        const row = own(name, owner, epoch);
        if (row) row.expiresAtMs = runtime.monotonicMs() + ttlMs;
        return row !== undefined;
      },
      async free(name, owner, epoch) {
        const row = own(name, owner, epoch);
        if (row) row.owner = null;
      },
      async close() {},
    },
    options,
  );
}
