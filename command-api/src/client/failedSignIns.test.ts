import { memoryTallies } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { FAILURE_WINDOW_MS, FAILURES_PER_IP_MAX, failedSignIns } from './failedSignIns.ts';

const clock = () => {
  const at = { nowMs: 0, monotonicMs: () => at.nowMs };
  return at;
};
const fail = async (
  signIns: ReturnType<typeof failedSignIns>,
  times: number,
  ip: string,
  address: string,
) => {
  for (let i = 0; i < times; i++) await signIns.count({ ip, address });
};

test('five failures for one account from one place make it wait for the rest of the minute', async () => {
  const at = clock();
  const signIns = failedSignIns(memoryTallies(at));
  await fail(signIns, 4, '192.0.2.1', 'ann');
  expect(await signIns.waitMs({ ip: '192.0.2.1', address: 'ann' })).toBe(0);
  at.nowMs = 20_000;
  await fail(signIns, 1, '192.0.2.1', 'ann');
  expect(await signIns.waitMs({ ip: '192.0.2.1', address: 'ann' })).toBe(40_000);
  expect(await signIns.waitMs({ ip: '192.0.2.1', address: 'bob' })).toBe(0);
  expect(await signIns.waitMs({ ip: '192.0.2.2', address: 'ann' })).toBe(0);
  at.nowMs = FAILURE_WINDOW_MS;
  expect(await signIns.waitMs({ ip: '192.0.2.1', address: 'ann' })).toBe(0);
});

test('thirty failures from one place, for whatever accounts, make all of it wait', async () => {
  const signIns = failedSignIns(memoryTallies(clock()));
  for (let i = 0; i < FAILURES_PER_IP_MAX; i++) await fail(signIns, 1, '192.0.2.1', `account ${i}`);
  expect(await signIns.waitMs({ ip: '192.0.2.1', address: 'somebody' })).toBe(FAILURE_WINDOW_MS);
  expect(await signIns.waitMs({ ip: '192.0.2.2', address: 'account 1' })).toBe(0);
});
