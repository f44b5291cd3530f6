import { type Runtime, sleep } from '@brokerx/infra/runtime/runtime.ts';
import type { Containers } from './containers.ts';
import type { Role } from './roles.ts';

/**
 * Replaces services role by role, and where a role runs already, one by one: each must be ready before the next one is
 * touched. Stops at the first that does not become ready.
 */
export type Step = { role: Role; tag: string };
export type Surroundings = {
  containers: Containers;
  /** Notes which image a role runs from now on, for this and every later start. */
  setTag(role: Role, tag: string): void;
  say(line: string): void;
  runtime: Runtime;
  /** How long a service may take to be ready. */
  readyTimeoutMs: number;
  /** Waited when one of several is ready, until all others have noticed. */
  settleMs: number;
};
export type RollOut = { done: Step[]; failed: null } | { done: Step[]; failed: Failure };
/** `step` may have replaced some of its services. */
export type Failure = { step: Step; service: string; why: string };

/** Between two looks at a service. */
const LOOK_EVERY_MS = 500;

export async function rollOut(steps: readonly Step[], around: Surroundings): Promise<RollOut> {
  const done: Step[] = [];
  for (const step of steps) {
    const failure = await replace(step, around);
    if (failure) return { done, failed: { step, ...failure } };
    done.push(step);
  }
  return { done, failed: null };
}

type Broken = Omit<Failure, 'step'>;

async function replace({ role, tag }: Step, around: Surroundings): Promise<Broken | null> {
  const { containers, setTag, say, runtime, settleMs } = around;
  setTag(role, tag);
  if (role.before) {
    await containers.start([role.before]);
    const broken = await until('finished', role.before, around);
    if (broken) return broken;
  }
  const states = await Promise.all(role.services.map((service) => containers.state(service)));
  const runs = states.some((state) => state === 'ready');
  const groups = runs ? role.services.map((service) => [service]) : [role.services];
  for (const [index, group] of groups.entries()) {
    if (index > 0) await sleep(runtime, settleMs);
    await containers.start(group);
    for (const service of group) {
      const broken = await until('ready', service, around);
      if (broken) return broken;
      say(`${service} is ready with ${tag}`);
    }
  }
  const [service] = role.services;
  if (role.reload && service !== undefined && runs) await containers.execute(service, role.reload);
  return null;
}

async function until(
  wanted: 'ready' | 'finished',
  service: string,
  { containers, runtime, readyTimeoutMs }: Pick<Surroundings, 'containers' | 'runtime' | 'readyTimeoutMs'>,
): Promise<Broken | null> {
  const deadlineMs = runtime.monotonicMs() + readyTimeoutMs;
  for (;;) {
    const state = await containers.state(service);
    if (state === wanted) return null;
    if (state === 'failed') return { service, why: 'it does not run' };
    // One that should stay has ended all the same.
    if (state === 'finished') return { service, why: 'it has ended' };
    if (runtime.monotonicMs() > deadlineMs) {
      return { service, why: `it was not ${wanted} within ${readyTimeoutMs / 1_000} s` };
    }
    await sleep(runtime, LOOK_EVERY_MS);
  }
}

/** Waits for servers of others, all started at once. */
export async function startServers(servers: readonly string[], around: Surroundings): Promise<Broken | null> {
  if (servers.length === 0) return null;
  await around.containers.start(servers);
  for (const server of servers) {
    const broken = await until('ready', server, around);
    if (broken) return broken;
    around.say(`${server} is ready`);
  }
  return null;
}
