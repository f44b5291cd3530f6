import { type Runtime, sleep } from '@brokerx/infra/runtime/runtime.ts';
import type { Containers } from './containers.ts';
import type { Role } from './roles.ts';

/** One step of a roll-out: a role gets an image. */
export type Step = { role: Role; tag: string };
export type RollOutOptions = {
  containers: Containers;
  /** Records which image a role runs at this and every later start. */
  setTag(role: Role, tag: string): void;
  say(line: string): void;
  runtime: Runtime;
  /** Milliseconds that a service may take to become ready. */
  readyTimeoutMs: number;
  /** Milliseconds to wait after a service is ready, until the others have noticed it, before the next one is replaced. */
  settleMs: number;
};
export type RollOut = { done: Step[]; failed: null } | { done: Step[]; failed: Failure };
/** The step that failed. Some of its services may have been replaced. */
export type Failure = { step: Step; service: string; why: string };

/** Milliseconds between two looks at a service's state. */
const STATE_POLL_MS = 500;

/**
 * Replaces services role by role; those of a role that runs already one by one, each when the one before is ready. Stops at the
 * first service that does not become ready.
 */
export async function rollOut(steps: readonly Step[], options: RollOutOptions): Promise<RollOut> {
  const done: Step[] = [];
  for (const step of steps) {
    const failure = await replace(step, options);
    if (failure) return { done, failed: { step, ...failure } };
    done.push(step);
  }
  return { done, failed: null };
}

type ServiceFailure = Omit<Failure, 'step'>;

async function replace({ role, tag }: Step, options: RollOutOptions): Promise<ServiceFailure | null> {
  const { containers, setTag, say, runtime, settleMs } = options;
  setTag(role, tag);
  if (role.before) {
    await containers.start([role.before]);
    const failure = await waitForState('finished', role.before, options);
    if (failure) return failure;
  }
  const states = await Promise.all(role.services.map((service) => containers.state(service)));
  const isRunning = states.some((state) => state === 'ready');
  const groups = isRunning ? role.services.map((service) => [service]) : [role.services];
  for (const [index, group] of groups.entries()) {
    if (index > 0) await sleep(runtime, settleMs);
    await containers.start(group);
    for (const service of group) {
      const failure = await waitForState('ready', service, options);
      if (failure) return failure;
      say(`${service} is ready with ${tag}`);
    }
  }
  const [service] = role.services;
  if (role.reload && service !== undefined && isRunning) await containers.execute(service, role.reload);
  return null;
}

async function waitForState(
  wanted: 'ready' | 'finished',
  service: string,
  { containers, runtime, readyTimeoutMs }: Pick<RollOutOptions, 'containers' | 'runtime' | 'readyTimeoutMs'>,
): Promise<ServiceFailure | null> {
  const deadlineMs = runtime.monotonicMs() + readyTimeoutMs;
  for (;;) {
    const state = await containers.state(service);
    if (state === wanted) return null;
    if (state === 'failed') return { service, why: 'it does not run' };
    // A service that should keep running has ended without an error.
    if (state === 'finished') return { service, why: 'it has ended' };
    if (runtime.monotonicMs() > deadlineMs) {
      return { service, why: `it was not ${wanted} within ${readyTimeoutMs / 1_000} s` };
    }
    await sleep(runtime, STATE_POLL_MS);
  }
}

/** Starts servers that are not ours, all at the same time, and waits until they are ready. */
export async function startServers(
  servers: readonly string[],
  options: RollOutOptions,
): Promise<ServiceFailure | null> {
  if (servers.length === 0) return null;
  await options.containers.start(servers);
  for (const server of servers) {
    const failure = await waitForState('ready', server, options);
    if (failure) return failure;
    options.say(`${server} is ready`);
  }
  return null;
}
