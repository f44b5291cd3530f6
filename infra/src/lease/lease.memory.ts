import type { Runtime } from '../runtime/runtime.ts';
import { type LeaseTable, leasesOver, type Place } from './holding.ts';
import type { Leases } from './lease.ts';

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
  const own = (owner: string, { name, epoch }: Place) => {
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
    async renew(owner, held, ttlMs) {
      const renewed = new Set<string>();
      for (const place of held) {
        const row = own(owner, place);
        if (!row) continue;
        row.expiresAtMs = monotonicMs() + ttlMs;
        renewed.add(place.name);
      }
      return renewed;
    },
    async free(owner, held) {
      for (const place of held) {
        const row = own(owner, place);
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
