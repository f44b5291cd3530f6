import type { Histogram } from 'hdr-histogram-js';
import { encoded, histogram, recordMs } from './histograms.ts';
import { type ProbeInterval, STAGES, type Stage } from './protocol.ts';

/** Single orders and when each of their stages was over; whatever is seen first is kept until the rest is. */
export type FollowedOrders = {
  sent(dueMs: number): void;
  refused(dueMs: number): void;
  /** Its reply has come, which names it. `storeId` is that of the reply's position. */
  acknowledged(id: string, dueMs: number, storeId: string): void;
  seen(id: string, stage: Stage): void;
  /** The store of a followed order of which the stage was not seen yet; empty until its reply came; undefined: no such order. */
  awaited(id: string, stage: Stage): string | undefined;
  count(): number;
  take(index: number): ProbeInterval;
  close(): void;
};

type Followed = { dueMs: number; storeId: string; over: Partial<Record<Stage, number>> };

/** A stage that is not seen by then counts as unseen. */
export const SEEN_WITHIN_MS = 60_000;
const SWEEP_MS = 1_000;

/** What is due before `measuredFromMs` is followed and not counted. */
export function followedOrders(measuredFromMs: () => number): FollowedOrders {
  const orders = new Map<string, Followed>();
  const stages = Object.fromEntries(STAGES.map((stage) => [stage, histogram()])) as Record<Stage, Histogram>;
  let counts = { sent: 0, unseen: 0, refused: 0 };
  let cpu = process.cpuUsage();
  const count = (dueMs: number, what: keyof typeof counts) => {
    if (dueMs >= measuredFromMs()) counts[what] += 1;
  };
  const of = (id: string): Followed => {
    const known = orders.get(id) ?? { dueMs: 0, storeId: '', over: {} };
    orders.set(id, known);
    return known;
  };
  const seen = (id: string, stage: Stage) => {
    const { dueMs, over } = of(id);
    over[stage] ??= performance.now();
    if (dueMs === 0 || STAGES.some((one) => over[one] === undefined)) return;
    orders.delete(id);
    if (dueMs < measuredFromMs()) return;
    for (const one of STAGES) recordMs(stages[one], (over[one] ?? 0) - dueMs);
  };
  const sweeper = setInterval(() => {
    for (const [id, { dueMs, over }] of orders) {
      const sinceMs = dueMs || Math.min(...Object.values(over));
      if (performance.now() - sinceMs < SEEN_WITHIN_MS) continue;
      orders.delete(id);
      if (dueMs > 0) count(dueMs, 'unseen');
    }
  }, SWEEP_MS);
  return {
    sent: (dueMs) => count(dueMs, 'sent'),
    refused: (dueMs) => count(dueMs, 'refused'),
    acknowledged(id, dueMs, storeId) {
      Object.assign(of(id), { dueMs, storeId });
      seen(id, 'acknowledgement');
    },
    seen,
    awaited(id, stage) {
      const order = orders.get(id);
      return order && order.over[stage] === undefined ? order.storeId : undefined;
    },
    count: () => orders.size,
    take(index) {
      const spent = process.cpuUsage(cpu);
      cpu = process.cpuUsage();
      const texts = Object.fromEntries(STAGES.map((stage) => [stage, encoded(stages[stage])]));
      for (const stage of STAGES) stages[stage].reset();
      const interval = {
        index,
        ...counts,
        stages: texts as Record<Stage, string>,
        cpuUs: spent.user + spent.system,
      };
      counts = { sent: 0, unseen: 0, refused: 0 };
      return interval;
    },
    close: () => clearInterval(sweeper),
  };
}
