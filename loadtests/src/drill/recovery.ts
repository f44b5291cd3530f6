import { setTimeout as delay } from 'node:timers/promises';
import { type Api, ApiError, succeeded } from '@brokerx/client';
import { decimalFromCents, type views } from '@brokerx/contracts';
import type { Person } from '../people.ts';

/**
 * Whether everything works again, as a client sees it: an order is taken, answered by the engine, settled and shown.
 * That needs every process, so one probe serves whichever was killed.
 */
export type Probe = { api: Api; person: Person; symbol: string; priceCents: number };

const POLL_MS = 10;

/** Milliseconds from now until one order has lived its whole life; undefined when that took over `waitMs`. */
export async function wholeLife(probe: Probe, waitMs: number): Promise<number | undefined> {
  const begun = performance.now();
  const late = () => performance.now() - begun > waitMs;
  while (!late()) {
    try {
      await oneLife(probe, late);
      return performance.now() - begun;
    } catch (error) {
      // A service was still away for longer than the client's patience: another order tries again.
      if (!(error instanceof ApiError)) throw error;
      await delay(POLL_MS);
    }
  }
  return undefined;
}

/** A buy far below the market that expires at once: it changes nothing for the others. */
async function oneLife({ api, person, symbol, priceCents }: Probe, late: () => boolean): Promise<void> {
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
  while (!late()) {
    const shown = await api.query<views.OrderView>(`/v1/orders/${placed.body.id}`, {
      token: await person.token(),
    });
    if (shown.status === 'expired') return;
    await delay(POLL_MS);
  }
}

/** The value below which `share` (0 to 1) of them lie. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
