import type { Leases, Log } from '@brokerx/infra';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';
import { aborted } from '@brokerx/infra/runtime/waiting.ts';

/**
 * Carries out a role that one process has at a time. The process takes it when its lease is free, gives it up at once when
 * the lease is lost, and asks for it again. For a moment there may be two owners, and the role's work must be safe then.
 */
export function ownRole(options: {
  leases: Leases;
  name: string;
  log: Log;
  /** Takes the role up. The returned function puts it down. */
  start: () => Promise<{ stop(): Promise<void> }> | { stop(): Promise<void> };
}): { stop(): Promise<void> } {
  const { leases, name, log, start } = options;
  const stopping = new AbortController();

  const run = async () => {
    while (!stopping.signal.aborted) {
      const lease = await leases.acquire(name, stopping.signal);
      if (!lease) return;
      try {
        const role = await start();
        log.info({ role: name, epoch: lease.epoch }, 'has the role');
        await aborted(AbortSignal.any([lease.lost, stopping.signal]));
        await role.stop();
      } catch (err) {
        log[unlessOutage(err, 'error')](
          { err, role: name },
          'a role could not be taken up or put down; it is asked for again',
        );
      }
      await lease
        .release()
        .catch((err: unknown) =>
          log[unlessOutage(err, 'warn')]({ err, role: name }, 'a lease was not released'),
        );
    }
  };

  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
