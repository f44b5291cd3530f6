import { memoryTallies, sleep } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { virtualTime } from '../../../test/virtualTime.ts';
import { type Attempt, failedSignIns, TURN_EVERY_MS } from './failedSignIns.ts';

const LIMITS = { perNetworkMax: 5, networkWindowMs: 600_000, perAccountMax: 20, accountWindowMs: 3_600_000 };
const NETWORK = 600_000;

/** The module on a clock that goes forward when somebody waits, so that a wait shows as time that passed. */
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
  /** Fails several times, each time with a new password. */
  const fail = async (times: number, attempt: Attempt) => {
    for (let i = 0; i < times; i++) await signIns.failed({ ...attempt, password: guess() });
  };
  return { clock, signIns, fail };
}
let guesses = 0;
const guess = () => `guess ${guesses++}`;
const from = (ip: string, address: string, isAtHome = false, password = guess()): Attempt => ({
  ip,
  address,
  isAtHome,
  password,
  hash: null,
});
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
  // The owner of the account at which somebody guesses is not locked out either: his attempts queue.
  const bob = await signIns.standing(from('192.0.2.1', 'bob', true));
  expect(bob).toMatchObject({ mayTry: true, queue: '192.0.2.1 bob' });
  expect(await signIns.turn(from('192.0.2.1', 'bob', true), bob)).toBe(0);
});

test('at home, too, guessing ends at a hundred', async () => {
  const { clock, signIns, fail } = given();
  await fail(99, from('192.0.2.1', 'bob', true));
  const again = from('192.0.2.1', 'bob', true);
  await signIns.refused(again);
  clock.atMs += 1_000;
  expect((await signIns.standing(again)).mayTry).toBe(true);
  await fail(1, from('192.0.2.1', 'bob', true));
  expect((await signIns.standing(again)).mayTry).toBe(false);
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
  // Repeated sign-ins to one account do not make a network an office.
  for (let i = 0; i < 9; i++) await signIns.succeeded(from('192.0.2.1', 'account 1'));
  await fail(1, from('192.0.2.1', 'stranger 9'));
  expect((await signIns.standing(from('192.0.2.1', 'ann'))).mayTry).toBe(false);
});

test('turns of one queue come one after another; beyond some seconds they are refused', async () => {
  const { clock, signIns, fail } = given();
  await fail(6, from('192.0.2.1', 'bob'));
  const queued = await signIns.standing(from('192.0.2.1', 'bob', true));
  const bob = from('192.0.2.1', 'bob', true);
  const asked = Array.from({ length: 10 }, async () => {
    const leftMs = await signIns.turn(bob, queued);
    return { leftMs };
  });
  const answers = await Promise.all(asked);
  expect(answers.filter(({ leftMs }) => leftMs === 0).length).toBeGreaterThan(1);
  clock.atMs += 10 * TURN_EVERY_MS;
  const before = clock.atMs;
  expect(await signIns.turn(bob, queued)).toBe(0);
  expect(clock.atMs).toBe(before);
  expect(await signIns.turn(bob, queued)).toBe(0);
  expect(clock.atMs).toBe(before + TURN_EVERY_MS);
});

test('a refusal is told at the same time, whether or not a password was tried before it', async () => {
  const { clock, signIns } = given();
  const sinceMs = clock.monotonicMs();
  await signIns.delayRefusal(sinceMs);
  const heldMs = clock.atMs - sinceMs;
  clock.atMs = 10_000;
  clock.atMs += heldMs / 2;
  await signIns.delayRefusal(10_000);
  expect(clock.atMs).toBe(10_000 + heldMs);
});

test('a refused attempt counts for its account from there alone', async () => {
  const { signIns } = given();
  for (let i = 0; i < 6; i++) await signIns.refused(from('192.0.2.1', 'ann'));
  expect(await signIns.standing(from('192.0.2.1', 'ann'))).toEqual({ ...free, queue: '192.0.2.1 ann' });
  expect(await signIns.standing(from('192.0.2.1', 'bob'))).toEqual(free);
});

test('a password that was wrong is no guess any more, until there is another hash to compare it with', async () => {
  const { signIns } = given();
  const wrong = from('192.0.2.1', 'ann', true, 'the same');
  for (let i = 0; i < 200; i++) await signIns.failed(wrong);
  const brakedMs = LIMITS.accountWindowMs;
  expect(await signIns.standing(wrong)).toEqual({ mayTry: false, brakedMs, queue: null });
  for (const other of [from('192.0.2.1', 'ann', true), { ...wrong, hash: 'a new one' }])
    expect(await signIns.standing(other)).toMatchObject({ mayTry: true, queue: null });
});

/** A guesser in the owner's network sends a password every 0.4 s. Each minute the owner signs in and obeys the replies. */
async function siege(guessOf: (index: number) => string, forMs: number) {
  const { runtime, advance } = virtualTime();
  const signIns = failedSignIns(memoryTallies(runtime), LIMITS, runtime);
  const RIGHT = 'the right one';
  const tried: string[] = [];
  /** Does the steps of a sign-in except the hash. Returns 0 if the password may be compared, else how long to stay away. */
  const attempt = async (password: string) => {
    const given = from('192.0.2.1', 'bob', true, password);
    const standing = await signIns.standing(given);
    const turnMs = await signIns.turn(given, standing);
    if (turnMs > 0) return turnMs;
    const { mayTry, brakedMs } = await signIns.standing(given);
    if (!standing.mayTry || !mayTry) {
      await signIns.refused(given);
      return standing.mayTry ? brakedMs : standing.brakedMs;
    }
    if (password === RIGHT) {
      await signIns.succeeded(given);
      return 0;
    }
    tried.push(password);
    await signIns.failed(given);
    return brakedMs;
  };
  let guesses = 0;
  const next = () => {
    void attempt(guessOf(guesses++));
    runtime.setTimer(400, next);
  };
  next();
  const waits: number[] = [];
  for (let atMs = 0; atMs < forMs; atMs += 60_000) {
    const sinceMs = runtime.monotonicMs();
    const entering = (async () => {
      for (let leftMs = await attempt(RIGHT); leftMs > 0; leftMs = await attempt(RIGHT))
        await sleep(runtime, Math.ceil(leftMs / 1_000) * 1_000);
      waits.push(runtime.monotonicMs() - sinceMs);
    })();
    await advance(60_000);
    await entering;
  }
  return { waits, tried };
}

test.for([
  ['one wrong password', () => 'wrong', 1],
  ['a list of wrong passwords', (index: number) => `wrong ${index % 40}`, 40],
  ['another password each time', (index: number) => `wrong ${index}`, 100],
] as const)(
  '%s, every 0.4 s, from the owner’s own address keeps him out for seconds at most',
  async ([, guessOf, triedMax]) => {
    const { waits, tried } = await siege(guessOf, 3_000_000);
    expect(waits.length).toBe(50);
    expect(Math.max(...waits)).toBeLessThanOrEqual(10_000);
    expect(new Set(tried).size).toBeLessThanOrEqual(triedMax);
    expect(tried.length).toBeLessThanOrEqual(100);
  },
);

test('whoever repeats each guess, so that it looks like the owner’s, has no more than a hundred in an hour either', async () => {
  const { signIns, clock } = given();
  let tried = 0;
  for (let i = 0; i < 400; i++) {
    const guessed = from('192.0.2.1', 'bob', true);
    for (const _ of ['first', 'again']) {
      const { mayTry } = await signIns.standing(guessed);
      if (mayTry) {
        tried += 1;
        await signIns.failed(guessed);
      } else await signIns.refused(guessed);
      clock.atMs += 1_000;
    }
  }
  expect(tried).toBeLessThanOrEqual(110);
  expect((await signIns.standing(from('192.0.2.1', 'ann', true))).mayTry).toBe(true);
});

test('a full queue says when to come again, not when strangers are let in', async () => {
  const { signIns, fail } = given();
  await fail(21, from('192.0.2.1', 'bob', true));
  const right = from('192.0.2.1', 'bob', true);
  const standing = await signIns.standing(right);
  expect(standing.brakedMs).toBeGreaterThan(60_000);
  const { queue } = standing;
  const full = await Promise.all(
    Array.from({ length: 10 }, () => signIns.turn(right, { ...standing, queue })),
  );
  for (const leftMs of full) expect(leftMs).toBeLessThanOrEqual(6_000);
});
