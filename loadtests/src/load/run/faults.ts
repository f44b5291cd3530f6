import { setTimeout as delay } from 'node:timers/promises';
import { pause } from '@brokerx/client';
import type { Installation } from '../../own/installation.ts';
import type { Scenario } from '../scenarios/scenario.ts';

/** A process that was killed in the middle of a run, in seconds from its beginning. `backAt`: it has a new pid, and is ready. */
export type Fault = { process: string; at: number; backAt: number | undefined };

const BACK_MAX_MS = 90_000;
const POLL_MS = 20;

/** Kills what the scenario names, when it does. Resolves when all of them are back. */
export async function inflict(
  installation: Installation,
  { kills, seconds, warmUpSeconds }: Scenario,
  beginMs: number,
  over: AbortSignal,
): Promise<Fault[]> {
  const secondNow = () => (performance.now() - beginMs) / 1_000;
  const faults = await Promise.all(
    kills.map(async ({ process: name, at }) => {
      const dueMs = beginMs + (warmUpSeconds + at * seconds) * 1_000;
      await pause(Math.max(0, dueMs - performance.now()), over);
      if (over.aborted) return undefined;
      const pid = installation.pids()[name];
      if (pid === undefined) throw new Error(`there is no process ${name} to kill`);
      const killedAt = secondNow();
      process.kill(pid, 'SIGKILL');
      const deadline = performance.now() + BACK_MAX_MS;
      while (performance.now() < deadline) {
        const next = installation.pids()[name];
        if (next !== undefined && next !== pid) return { process: name, at: killedAt, backAt: secondNow() };
        await delay(POLL_MS);
      }
      return { process: name, at: killedAt, backAt: undefined };
    }),
  );
  return faults.filter((fault) => fault !== undefined);
}
