import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type {
  FromGenerator,
  Interval,
  LastOrder,
  LoadPlan,
  ProbeInterval,
  ProbePlan,
  ToGenerator,
} from './protocol.ts';

/** Generator processes and the probe, as the run sees them. */
export type Generators = {
  /** Begins at this Unix time. */
  begin(beginMs: number): void;
  operatorToken(token: string): void;
  /** Resolves when all of them have sent everything, and every reply has come or its time is up. */
  ended: Promise<Ended>;
  /** Lets them send nothing more; replies are still waited for. */
  stop(): void;
  pids: Record<string, number>;
  /** Ends the processes. */
  close(): void;
};
export type Ended = { last: LastOrder[]; renewals: number; renewalsFailed: number };

export type Heard = {
  interval(from: number, interval: Interval): void;
  probeInterval(interval: ProbeInterval): void;
};

const SCRIPTS = { load: 'worker.ts', probe: 'probe.ts' } as const;

export async function startGenerators(
  plans: readonly (LoadPlan | ProbePlan)[],
  heard: Heard,
): Promise<Generators> {
  const all = plans.map((plan, from) => start(plan, from, heard));
  const close = () => {
    for (const { child } of all) if (child.connected) child.disconnect();
  };
  try {
    await Promise.all(all.map(({ ready }) => ready));
  } catch (error) {
    close();
    throw error;
  }
  const tellAll = (message: ToGenerator) => {
    for (const { child } of all) if (child.connected) child.send(message);
  };
  return {
    begin: (beginMs) => tellAll({ kind: 'start', beginMs }),
    operatorToken: (token) => tellAll({ kind: 'operator token', token }),
    ended: Promise.all(all.map(({ ended }) => ended)).then((each) => ({
      last: each.flatMap(({ last }) => last),
      renewals: each.reduce((sum, { renewals }) => sum + renewals, 0),
      renewalsFailed: each.reduce((sum, { renewalsFailed }) => sum + renewalsFailed, 0),
    })),
    stop: () => tellAll({ kind: 'stop' }),
    pids: Object.fromEntries(
      plans.map((plan, at) => [
        plan.kind === 'probe' ? 'probe' : `generator${plan.of > 1 ? `-${plan.index + 1}` : ''}`,
        all[at]?.child.pid ?? 0,
      ]),
    ),
    close,
  };
}

type Started = { child: ChildProcess; ready: Promise<void>; ended: Promise<Ended> };

function start(plan: LoadPlan | ProbePlan, from: number, heard: Heard): Started {
  const child = fork(join(import.meta.dirname, SCRIPTS[plan.kind]), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<Ended>();
  const fail = (error: Error) => {
    ready.reject(error);
    ended.reject(error);
  };
  // Whoever waits for neither of them any more has ended for another reason.
  ready.promise.catch(() => child.connected && child.disconnect());
  ended.promise.catch(() => child.connected && child.disconnect());
  child.once('error', fail);
  child.once('exit', (code, signal) =>
    fail(new Error(`a ${plan.kind} generator ended with ${signal ?? code}`)),
  );
  child.on('message', (message: FromGenerator) => {
    if (message.kind === 'ready') ready.resolve();
    else if (message.kind === 'interval') heard.interval(from, message.interval);
    else if (message.kind === 'probe interval') heard.probeInterval(message.interval);
    else if (message.kind === 'ended') {
      ended.resolve(message);
      child.disconnect();
    } else fail(new Error(`a ${plan.kind} generator failed: ${message.error}`));
  });
  child.send(plan satisfies ToGenerator);
  return { child, ready: ready.promise, ended: ended.promise };
}
