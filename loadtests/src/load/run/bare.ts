import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBareEndpoint } from '../../bench/bareEndpoint.ts';
import { startGenerators } from '../generator/generators.ts';
import type { Percentiles } from '../generator/histograms.ts';
import { type Action, PLACING, type Scenario } from '../scenarios/scenario.ts';
import { collector } from './collector.ts';

/**
 * The limits beside a run: the same requests from the same generator to a server that does nothing but validate an order's
 * body, as fast as answers come and at the scenario's rate; and what one flush of the disk costs.
 */
export type BareLimits = {
  requestsPerSecond: number;
  p95Ms: number;
  /** At the scenario's rate, where it has one. */
  atRate: (Percentiles & { requestsPerSecond: number }) | null;
  /** Milliseconds of writing 4 KiB and flushing it, the median. */
  flushMs: number;
};

const FLUSHES = 100;
const FLUSHED_BYTES = 4_096;

export async function bareLimits(
  scenario: Scenario,
  options: { seconds: number; seed: number; generators: number },
): Promise<BareLimits> {
  const mix = mixOf(scenario);
  const rate = scenario.drive.by === 'rate' ? scenario.drive.rate : 0;
  const bare = await startBareEndpoint();
  try {
    const fastest = await run(bare.url, { ...scenario, drive: drive(0, mix) }, options);
    const paced =
      rate > 0 ? await run(bare.url, { ...scenario, drive: drive(rate, mix) }, options) : undefined;
    return {
      requestsPerSecond: fastest.perSecond,
      p95Ms: fastest.latency.p95,
      atRate: paced ? { ...paced.latency, requestsPerSecond: paced.perSecond } : null,
      flushMs: flushMs(),
    };
  } finally {
    await bare.stop();
  }
}

/** What a bare endpoint can take of the scenario: orders, and requests that look. */
function mixOf({ drive: how }: Scenario): Partial<Record<Action, number>> {
  const given: [Action, number][] =
    how.by === 'rate'
      ? (Object.entries(how.mix) as [Action, number][])
      : how.journey.map((step) => [step, 1]);
  const mix: Partial<Record<Action, number>> = {};
  for (const [action, weight] of given) {
    const asked = isCommand(action) ? 'place' : action;
    mix[asked] = (mix[asked] ?? 0) + weight;
  }
  return mix;
}
const isCommand = (action: Action) => [...PLACING, 'cancel', 'deposit', 'sign_in'].includes(action);

const drive = (rate: number, mix: Partial<Record<Action, number>>): Scenario['drive'] => ({
  by: 'rate',
  rate,
  phases: [{ share: 1, from: 1, to: 1 }],
  mix,
});

async function run(
  url: string,
  scenario: Scenario,
  { seconds, seed, generators }: { seconds: number; seed: number; generators: number },
) {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-bare-'));
  const collected = collector({ generators, intervalMs: 1_000, onPoint: () => undefined });
  const users = Array.from({ length: scenario.users }, (_, index) => ({
    email: '',
    password: '',
    accountId: `none-${index}`,
    token: 'none',
    expiresMs: Date.now() + 86_400_000,
  }));
  const plans = Array.from({ length: generators }, (_, index) => ({
    kind: 'load' as const,
    scenario: { ...scenario, seconds, warmUpSeconds: 1, followers: 0, slowClients: 0, orders: MARKET },
    seed,
    commandUrls: [url],
    queryUrls: [url],
    symbols: ['LOAD1'],
    users,
    index,
    of: generators,
    connectionsMax: 2_000,
    intervalMs: 1_000,
    journalFile: join(folder, `journal-${index}.jsonl`),
  }));
  try {
    const running = await startGenerators(plans, collected);
    running.begin(Date.now());
    await running.ended;
    collected.finish();
    const { requests } = collected.totals();
    return { perSecond: Math.round(requests.count / seconds), latency: requests };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
const MARKET: Scenario['orders'] = { kind: 'market' };

function flushMs(): number {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-flush-'));
  const descriptor = openSync(join(folder, 'file'), 'w');
  try {
    const bytes = Buffer.alloc(FLUSHED_BYTES, 1);
    const times = Array.from({ length: FLUSHES }, () => {
      const begunMs = performance.now();
      writeSync(descriptor, bytes);
      fdatasyncSync(descriptor);
      return performance.now() - begunMs;
    });
    return Math.round((times.toSorted((a, b) => a - b)[FLUSHES / 2] ?? 0) * 1_000) / 1_000;
  } finally {
    closeSync(descriptor);
    rmSync(folder, { recursive: true, force: true });
  }
}
