import { createLog } from '@brokerx/infra/runtime/log.ts';
import { realRuntime } from '@brokerx/infra/runtime/runtime.ts';
import { expect, test } from 'vitest';
import { type Running, supervise } from './supervisor.ts';

const log = createLog({ name: 'test', level: 'silent' });
const runs = (): Running => {
  const { promise: exited, resolve } = Promise.withResolvers<{ reason: string; code: null }>();
  return { pid: 1, readyUrl: null, exited, stop: async () => resolve({ reason: 'asked', code: null }) };
};

/** Starts fail so many times, then work. */
function failing(times: number, mayPass: boolean) {
  let starts = 0;
  const supervised = supervise({
    name: 'it',
    async start() {
      starts += 1;
      if (starts <= times) throw new Error(`failure ${starts}`);
      return runs();
    },
    mayPass: () => mayPass,
    readyTimeoutMs: 60_000,
    log,
    runtime: realRuntime,
  });
  return { supervised, starts: () => starts };
}

test('a first start that fails for the moment is tried again, a bounded number of times', async () => {
  const passing = failing(4, true);
  await passing.supervised.ready;
  expect(passing.starts()).toBe(5);
  await passing.supervised.stop();
  const lasting = failing(Number.POSITIVE_INFINITY, true);
  await expect(lasting.supervised.ready).rejects.toThrow('it does not start (failure 5)');
  expect(lasting.starts()).toBe(5);
});

test('a first start that fails for good is told at once', async () => {
  const { supervised, starts } = failing(1, false);
  await expect(supervised.ready).rejects.toThrow('it: failure 1');
  expect(starts()).toBe(1);
});
