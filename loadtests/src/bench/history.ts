import { setTimeout as delay } from 'node:timers/promises';
import { brokerApi } from '@brokerx/client';
import { parsePosition } from '@brokerx/contracts';
import { progress } from '../cli/report.ts';
import { operatorOf } from '../operator.ts';
import type { Installation } from '../own/installation.ts';
import { seedStore } from '../seed/seedStore.ts';
import { headPosition } from './measure.ts';

/** How far back the history begins. A round of it takes 20 ms of its time, so a million events fit in well. */
const HISTORY_AGE_MS = 6 * 3_600_000;
const CATCH_UP_MAX_MS = 600_000;
const CATCH_UP_POLL_MS = 20;

/** A made history, and the times of the first start on it, when nothing is derived yet, of catching up, and of a later start. */
export type History = { events: number; firstStartMs: number; catchUpMs: number; startMs: number };

/** Writes a history into an installation before it is used. */
export async function preload(
  installation: Installation,
  { preload: eventsMin, seed }: { preload: number; seed: number },
): Promise<History> {
  progress(`writing ${eventsMin.toLocaleString('en-US')} events of history …`);
  let events = 0;
  const first = await installation.withDatabaseAlone(async () => {
    const { databaseUrl } = installation.status;
    const startMs = Date.now() - HISTORY_AGE_MS;
    ({ events } = await seedStore(databaseUrl, { seed, events: eventsMin, startMs }));
  });
  progress(`first start, nothing derived yet: ${Math.round(first.startMs)} ms`);
  const catchUpMs = await catchUp(installation);
  progress(`read models caught up after another ${Math.round(catchUpMs)} ms`);
  const { startMs } = await installation.restart();
  progress(`started on ${events.toLocaleString('en-US')} events in ${Math.round(startMs)} ms`);
  return { events, firstStartMs: first.startMs, catchUpMs, startMs };
}

/** Waits until the read models show the whole history. Returns the milliseconds that it took. */
async function catchUp({ status }: Installation): Promise<number> {
  const begunMs = performance.now();
  const api = brokerApi(status);
  try {
    const { person } = await operatorOf(api, status.operatorEmail, status.operatorPassword);
    const reply = await api.raw('query', {
      path: '/v1/events?limit=1',
      headers: { authorization: `Bearer ${await person.token()}` },
    });
    const head = parsePosition(reply.headers['x-brokerx-position'] ?? '')?.position ?? 0;
    while ((await headPosition(api, person)) < head) {
      if (performance.now() - begunMs > CATCH_UP_MAX_MS)
        throw new Error('the read models do not catch up with the history');
      await delay(CATCH_UP_POLL_MS);
    }
  } finally {
    await api.close();
  }
  return performance.now() - begunMs;
}
