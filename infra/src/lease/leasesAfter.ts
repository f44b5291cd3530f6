import type { Opening } from '../runtime/startSignal.ts';
import type { Leases } from './lease.ts';

/** No lease is taken before the opening, so that whatever a process does by lease begins then. */
export function leasesAfter(opened: Opening, leases: Leases): Leases {
  return {
    ...leases,
    async tryAcquire(name) {
      await opened;
      return leases.tryAcquire(name);
    },
    async acquire(name, signal) {
      await opened;
      return leases.acquire(name, signal);
    },
  };
}
