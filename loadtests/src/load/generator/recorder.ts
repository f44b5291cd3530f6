import type { Histogram } from 'hdr-histogram-js';
import type { Action } from '../scenarios/scenario.ts';
import { encoded, histogram, recordMs } from './histograms.ts';
import type { Interval, Told } from './protocol.ts';

/** Counts what a generator process sends and gets, interval by interval, and hands each on when it is over. */
export type Recorder = {
  sent(action: Action, dueMs: number): void;
  unsent(action: Action, dueMs: number): void;
  /** A reply came; `count`: of so many orders. */
  ok(action: Action, dueMs: number, count?: number): void;
  refused(action: Action, dueMs: number, code: string, count?: number): void;
  unknown(action: Action, dueMs: number): void;
  streamed(bytes: number): void;
  /** What was counted since the last call. */
  take(index: number, gauges: Gauges): Interval;
};
export type Gauges = Pick<Interval, 'inFlight' | 'waiting' | 'users' | 'slowOpen'>;

type Counts = Omit<Told, 'latency' | 'refusedLatency' | 'refused'> & {
  refused: Map<string, number>;
  latency: Histogram;
  refusedLatency: Histogram;
};

/** Kinds of refusals that are told apart; there are fewer codes than that. */
const CODES_MAX = 100;

/** What was due before `measuredFromMs` is told apart, whenever its reply comes. */
export function recorder(measuredFromMs: () => number): Recorder {
  const measured = new Map<Action, Counts>();
  const early = new Map<Action, Counts>();
  const lateness = histogram();
  let streamed = { messages: 0, bytes: 0 };
  let cpu = process.cpuUsage();
  const of = (action: Action, dueMs: number): Counts => {
    const actions = dueMs < measuredFromMs() ? early : measured;
    let counts = actions.get(action);
    if (!counts) {
      counts = {
        sent: 0,
        ok: 0,
        unknown: 0,
        unsent: 0,
        refused: new Map(),
        latency: histogram(),
        refusedLatency: histogram(),
      };
      actions.set(action, counts);
    }
    return counts;
  };
  return {
    sent(action, dueMs) {
      of(action, dueMs).sent += 1;
      recordMs(lateness, performance.now() - dueMs);
    },
    unsent(action, dueMs) {
      of(action, dueMs).unsent += 1;
    },
    ok(action, dueMs, count = 1) {
      const counts = of(action, dueMs);
      counts.ok += count;
      recordMs(counts.latency, performance.now() - dueMs, count);
    },
    refused(action, dueMs, code, count = 1) {
      const { refused, refusedLatency } = of(action, dueMs);
      const name = refused.has(code) || refused.size < CODES_MAX ? code : 'others';
      refused.set(name, (refused.get(name) ?? 0) + count);
      recordMs(refusedLatency, performance.now() - dueMs, count);
    },
    unknown(action, dueMs) {
      of(action, dueMs).unknown += 1;
    },
    streamed(bytes) {
      streamed.messages += 1;
      streamed.bytes += bytes;
    },
    take(index, gauges) {
      const spent = process.cpuUsage(cpu);
      cpu = process.cpuUsage();
      const interval: Interval = {
        index,
        actions: allTold(measured),
        early: allTold(early),
        lateness: encoded(lateness),
        ...gauges,
        streamed,
        cpuUs: spent.user + spent.system,
        memoryBytes: process.memoryUsage.rss(),
      };
      lateness.reset();
      streamed = { messages: 0, bytes: 0 };
      return interval;
    },
  };
}

const allTold = (actions: ReadonlyMap<Action, Counts>) =>
  Object.fromEntries(Array.from(actions, ([action, counts]) => [action, told(counts)]));

function told(counts: Counts): Told {
  const { sent, ok, unknown, unsent, refused, latency, refusedLatency } = counts;
  const result: Told = {
    sent,
    ok,
    unknown,
    unsent,
    refused: Object.fromEntries(refused),
    latency: encoded(latency),
    refusedLatency: encoded(refusedLatency),
  };
  Object.assign(counts, { sent: 0, ok: 0, unknown: 0, unsent: 0 });
  refused.clear();
  latency.reset();
  refusedLatency.reset();
  return result;
}
