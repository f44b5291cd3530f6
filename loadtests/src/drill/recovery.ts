import { setTimeout as delay } from 'node:timers/promises';
import { type Api, ApiError, succeeded } from '@brokerx/client';
import { decimalFromCents, type views } from '@brokerx/contracts';
import type { Person } from '../people.ts';

/**
 * Finds out when everything works again, as a client sees it: an order is accepted, answered by the engine, settled and
 * shown. That needs every process, so the same probe serves whichever was killed.
 */
export type Probe = { api: Api; person: Person; symbol: string; priceCents: number };

const POLL_MS = 10;

/** Milliseconds from now until an order has gone through from end to end; undefined when that took over `waitMs`. */
export async function timeToRecovery(probe: Probe, waitMs: number): Promise<number | undefined> {
  const begunMs = performance.now();
  const isLate = () => performance.now() - begunMs > waitMs;
  while (!isLate()) {
    try {
      await placeAndFollow(probe, isLate);
      return performance.now() - begunMs;
    } catch (error) {
      // A service was away for longer than the client repeats a request, so another order is tried.
      if (!(error instanceof ApiError)) throw error;
      await delay(POLL_MS);
    }
  }
  return undefined;
}

/** Places a buy far below the market, which expires at once and changes nothing for the others, and waits until it is shown. */
async function placeAndFollow(
  { api, person, symbol, priceCents }: Probe,
  isLate: () => boolean,
): Promise<void> {
  const placed = succeeded(
    'probing',
    await api.command<views.OrderView>({
      method: 'POST',
      path: '/v1/orders',
      token: await person.token(),
      body: {
        symbol,
        side: 'buy',
        type: 'limit',
        qty: '1',
        limit_price: decimalFromCents(priceCents),
        time_in_force: 'ioc',
      },
    }),
  );
  while (!isLate()) {
    const shown = await api.query<views.OrderView>(`/v1/orders/${placed.body.id}`, {
      token: await person.token(),
    });
    if (shown.status === 'expired') return;
    await delay(POLL_MS);
  }
}

/** The value below which the given share (0 to 1) of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
