import type { StartSignal } from '../runtime/startSignal.ts';
import type { Leases } from './lease.ts';

/** Leases that nobody gets before the start signal: so all work that a process does by lease begins with it. */
export function leasesAfter(started: StartSignal, leases: Leases): Leases {
  return {
    ...leases,
    async tryAcquire(name) {
      await started;
      return leases.tryAcquire(name);
    },
    async acquire(name, signal) {
      await started;
      return leases.acquire(name, signal);
    },
  };
}
