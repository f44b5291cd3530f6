import { setTimeout as delay } from 'node:timers/promises';
import type { views } from '@brokerx/contracts';
import type { Target } from '../../own/target.ts';
import type { LastOrder } from '../generator/protocol.ts';
import type { Watching } from './watching.ts';

const DRAIN_MAX_MS = 300_000;
const POLL_MS = 50;
/** Orders looked at, of those that users sent last. */
const LOOKED_AT = 200;

/**
 * Waits until all that was acknowledged is answered, settled and shown: the last orders are, and no stage of an installation of
 * its own is behind. Books, settlement and views work in order, so by then everything before is done, too.
 */
export async function drained(
  { api, operator, installation }: Target,
  last: readonly LastOrder[],
  watching: Watching,
  secondNow: () => number,
): Promise<number> {
  const begunMs = performance.now();
  const isLate = () => performance.now() - begunMs > DRAIN_MAX_MS;
  const token = await operator.person.token();
  for (const { id, position } of last.slice(-LOOKED_AT)) {
    for (;;) {
      const shown = await api.query<views.OrderView>(`/v1/orders/${id}`, { token, minPosition: position });
      if (shown.status !== 'pending_new') break;
      if (isLate()) throw new Error(`order ${id} is ${shown.status} after ${DRAIN_MAX_MS} ms`);
      await delay(POLL_MS);
    }
  }
  for (;;) {
    const { lag } = await watching.sample(secondNow());
    // A process that is just starting tells nothing, and may be behind; of an installation elsewhere nobody may tell.
    const unseen = installation ? Number.POSITIVE_INFINITY : 0;
    const { match = unseen, settlement = unseen, view = unseen } = lag;
    if (match + settlement + view === 0) return performance.now() - begunMs;
    if (isLate()) throw new Error(`behind after ${DRAIN_MAX_MS} ms: ${JSON.stringify(lag)}`);
    await delay(POLL_MS);
  }
}
