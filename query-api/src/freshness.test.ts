import { expect, test } from 'vitest';
import { handClock } from '../test/handClock.ts';
import { freshness, type Reached, type WaitOutcome } from './freshness.ts';

const STORE = '11111111-1111-4111-8111-111111111111';
const OTHER = '22222222-2222-4222-8222-222222222222';
const at = (position: number, storeId = STORE) => ({ storeId, position });

const given = (positions: Record<string, number>, options: { waitersMax?: number } = {}) => {
  const clock = handClock();
  const told: (boolean | WaitOutcome)[] = [];
  const subject = freshness({
    storeId: STORE,
    runtime: clock,
    onWaiting: (anybody) => told.push(anybody),
    onWaited: (outcome) => told.push(outcome),
    ...options,
  });
  for (const [name, position] of Object.entries(positions)) subject.moved(name, position);
  return { subject, clock, told };
};
/** What a promise has come to by now. */
const now = async (promise: Promise<Reached>) => Promise.race([promise, Promise.resolve('waits' as const)]);
const settled = async (promise: Promise<Reached>) => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
  return now(promise);
};

const behind = (asked: number, stands: number) => ({
  refused: 'READ_MODEL_BEHIND',
  detail: `asked for ${asked}, what is read stands at ${stands}`,
});

test.for([
  ['asked for nothing: the lowest of what is read', ['orders', 'wallets'], undefined, { position: 5 }],
  ['nothing is known of it yet', ['unheard'], undefined, { position: 0 }],
  ['reached already', ['orders'], at(7), { position: 7 }],
  ['one of two is behind', ['orders', 'wallets'], at(6), 'waits'],
  ['no projection is read', [], at(0), { position: 0 }],
  [
    'another store',
    ['orders'],
    at(1, OTHER),
    { refused: 'FOREIGN_POSITION', detail: `the position is of store ${OTHER}, this is store ${STORE}` },
  ],
] as const)('at once: %s', async ([, sources, min, answer]) => {
  const { subject } = given({ orders: 7, wallets: 5 });
  expect(await settled(subject.reach(sources, min))).toEqual(answer);
});

test('a wait ends when the last projection that it needs arrives, and tells the position then', async () => {
  const { subject, told } = given({ orders: 1, wallets: 1 });
  const waiting = subject.reach(['orders', 'wallets'], at(10));
  subject.moved('orders', 12);
  expect(await settled(waiting)).toBe('waits');
  subject.moved('wallets', 11);
  expect(await waiting).toEqual({ position: 11 });
  expect(told).toEqual([true, 'reached', false]);
});

test('a wait ends as behind after two seconds', async () => {
  const { subject, clock, told } = given({ orders: 3 });
  const waiting = subject.reach(['orders'], at(4));
  clock.pass(1_999);
  expect(await settled(waiting)).toBe('waits');
  clock.pass(1);
  expect(await waiting).toEqual(behind(4, 3));
  expect(told).toEqual([true, 'behind', false]);
});

test('a projection that begins anew is behind again', async () => {
  const { subject, clock } = given({ orders: 9 });
  subject.moved('orders', 2);
  const waiting = subject.reach(['orders'], at(9));
  clock.pass(2_000);
  expect(await waiting).toEqual(behind(9, 2));
});

test('the number of those who wait is bounded; who comes then is told to come back', async () => {
  const { subject, told } = given({ orders: 1 }, { waitersMax: 2 });
  const waiting = [subject.reach(['orders'], at(2)), subject.reach(['orders'], at(3))];
  expect(await subject.reach(['orders'], at(2))).toEqual({
    refused: 'OVERLOADED',
    detail: 'too many requests wait for what is read to catch up',
  });
  subject.moved('orders', 3);
  expect(await Promise.all(waiting)).toEqual([{ position: 3 }, { position: 3 }]);
  expect(told).toEqual([true, 'turned_away', 'reached', 'reached', false]);
});

test('closing ends every wait', async () => {
  const { subject } = given({ orders: 1 });
  const waiting = subject.reach(['orders'], at(2));
  subject.close();
  expect(await waiting).toEqual(behind(2, 1));
  expect(subject.waiting()).toBe(0);
});
