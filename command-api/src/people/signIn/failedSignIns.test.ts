import { memoryTallies } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { type Attempt, failedSignIns, TURN_EVERY_MS } from './failedSignIns.ts';

const LIMITS = { perNetworkMax: 5, networkWindowMs: 600_000, perAccountMax: 20, accountWindowMs: 3_600_000 };
const NETWORK = 600_000;

/** A clock that waits by going forward: a wait is seen as time that passed. */
function given() {
  const clock = {
    atMs: 0,
    nowMs: () => clock.atMs,
    monotonicMs: () => clock.atMs,
    randomBytes: (count: number) => new Uint8Array(count),
    setTimer(ms: number, callback: () => void) {
      clock.atMs += ms;
      queueMicrotask(callback);
      return () => undefined;
    },
  };
  const signIns = failedSignIns(memoryTallies(clock), LIMITS, clock);
  const fail = async (times: number, attempt: Attempt) => {
    for (let i = 0; i < times; i++) await signIns.failed(attempt);
  };
  return { clock, signIns, fail };
}
const from = (ip: string, address: string, isAtHome = false): Attempt => ({ ip, address, isAtHome });
const free = { mayTry: true, brakedMs: 0, queue: null };

test('more than five failures from one network make strangers there wait until they are forgotten', async () => {
  const { clock, signIns, fail } = given();
  for (let i = 0; i < 5; i++) await fail(1, from('192.0.2.1', `account ${i}`));
  expect(await signIns.standing(from('192.0.2.1', 'ann'))).toEqual(free);
  clock.atMs = 100_000;
  await fail(1, from('192.0.2.1', 'account 5'));
  expect(await signIns.standing(from('192.0.2.1', 'ann'))).toEqual({
    mayTry: false,
    brakedMs: NETWORK - 100_000,
    queue: null,
  });
  expect(await signIns.standing(from('192.0.2.2', 'ann'))).toEqual(free);
  clock.atMs = NETWORK;
  expect(await signIns.standing(from('192.0.2.1', 'ann'))).toEqual(free);
});

test('an IPv6 subscriber is one network', async () => {
  const { signIns, fail } = given();
  for (let i = 0; i < 6; i++) await fail(1, from(`2001:db8:0:1::${i}`, `account ${i}`));
  expect((await signIns.standing(from('2001:db8:0:1:ffff::1', 'ann'))).mayTry).toBe(false);
  expect((await signIns.standing(from('2001:db8:0:2::1', 'ann'))).mayTry).toBe(true);
});

test('thirty failures shut nobody out who has signed in from there before', async () => {
  const { signIns, fail } = given();
  await fail(30, from('192.0.2.1', 'bob'));
  expect(await signIns.standing(from('192.0.2.1', 'ann', true))).toMatchObject({ mayTry: true, queue: null });
  // Nor him whose password was guessed: his attempts queue.
  const bob = await signIns.standing(from('192.0.2.1', 'bob', true));
  expect(bob).toMatchObject({ mayTry: true, queue: '192.0.2.1 bob' });
  expect(await signIns.turn(bob)).toBe(0);
});

test('at home, too, guessing ends at a hundred', async () => {
  const { signIns, fail } = given();
  await fail(101, from('192.0.2.1', 'bob', true));
  expect((await signIns.standing(from('192.0.2.1', 'bob', true))).mayTry).toBe(false);
  expect((await signIns.standing(from('192.0.2.1', 'ann', true))).mayTry).toBe(true);
});

test('more than twenty failures of one account, from anywhere, end those of strangers', async () => {
  const { clock, signIns, fail } = given();
  for (let i = 0; i < 20; i++) await fail(1, from(`198.51.100.${i}`, 'ann'));
  expect((await signIns.standing(from('203.0.113.1', 'ann'))).mayTry).toBe(true);
  await fail(1, from('198.51.100.20', 'ann'));
  expect((await signIns.standing(from('203.0.113.1', 'ann'))).mayTry).toBe(false);
  expect((await signIns.standing(from('192.0.2.1', 'ann', true))).mayTry).toBe(true);
  expect((await signIns.standing(from('203.0.113.1', 'bob'))).mayTry).toBe(true);
  clock.atMs = LIMITS.accountWindowMs;
  expect((await signIns.standing(from('203.0.113.1', 'ann'))).mayTry).toBe(true);
});

test('a network that mostly succeeds is slowed, as long as it does', async () => {
  const { signIns, fail } = given();
  for (let i = 0; i < 10; i++) await signIns.succeeded(from('192.0.2.1', `account ${i}`));
  for (let i = 0; i < 9; i++) await fail(1, from('192.0.2.1', `stranger ${i}`));
  expect(await signIns.standing(from('192.0.2.1', 'ann'))).toMatchObject({
    mayTry: true,
    queue: '192.0.2.1',
  });
  // One who signs in to the same account again and again makes no office.
  for (let i = 0; i < 9; i++) await signIns.succeeded(from('192.0.2.1', 'account 1'));
  await fail(1, from('192.0.2.1', 'stranger 9'));
  expect((await signIns.standing(from('192.0.2.1', 'ann'))).mayTry).toBe(false);
});

test('turns of one queue come one after another; beyond some seconds they are refused', async () => {
  const { clock, signIns, fail } = given();
  await fail(6, from('192.0.2.1', 'bob'));
  const queued = await signIns.standing(from('192.0.2.1', 'bob', true));
  const asked = Array.from({ length: 10 }, async () => {
    const leftMs = await signIns.turn(queued);
    return { leftMs };
  });
  const answers = await Promise.all(asked);
  expect(answers.filter(({ leftMs }) => leftMs === 0).length).toBeGreaterThan(1);
  clock.atMs += 10 * TURN_EVERY_MS;
  const before = clock.atMs;
  expect(await signIns.turn(queued)).toBe(0);
  expect(clock.atMs).toBe(before);
  expect(await signIns.turn(queued)).toBe(0);
  expect(clock.atMs).toBe(before + TURN_EVERY_MS);
});

test('a refusal is told at the same time, whether or not a password was tried before it', async () => {
  const { clock, signIns } = given();
  const sinceMs = clock.monotonicMs();
  await signIns.hold(sinceMs);
  const heldMs = clock.atMs - sinceMs;
  clock.atMs = 10_000;
  clock.atMs += heldMs / 2;
  await signIns.hold(10_000);
  expect(clock.atMs).toBe(10_000 + heldMs);
});

test('a refused attempt counts for its account from there alone', async () => {
  const { signIns } = given();
  for (let i = 0; i < 6; i++) await signIns.refused(from('192.0.2.1', 'ann'));
  expect(await signIns.standing(from('192.0.2.1', 'ann'))).toEqual({ ...free, queue: '192.0.2.1 ann' });
  expect(await signIns.standing(from('192.0.2.1', 'bob'))).toEqual(free);
});
