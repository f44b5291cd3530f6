import fc from 'fast-check';
import { expect, test } from 'vitest';
import { handClock } from '../../test/handClock.ts';
import type { QuotaBounds } from './clientQuotas.ts';
import { type Behind, freshness, type Read, type Reader, type WaitOutcome } from './freshness.ts';

const STORE = '11111111-1111-4111-8111-111111111111';
const OTHER = '22222222-2222-4222-8222-222222222222';
const at = (position: number, storeId = STORE) => ({ storeId, position });

/** `stands` is what is in the tables, `heard` what was told of it. */
const given = (
  positions: Record<string, number>,
  options: { bounds?: QuotaBounds; shownBefore?: number } = {},
) => {
  const clock = handClock();
  const told: (boolean | WaitOutcome)[] = [];
  const subject = freshness({
    storeId: STORE,
    runtime: clock,
    onWaiting: (anybody) => told.push(anybody),
    onWaited: (outcome) => told.push(outcome),
    ...options,
  });
  const stands = new Map<string, number | null>();
  const moved = (name: string, position: number) => {
    stands.set(name, position);
    subject.moved(name, position);
  };
  for (const [name, position] of Object.entries(positions)) moved(name, position);
  const read = (sources: readonly string[], min?: { storeId: string; position: number }, reader?: Reader) =>
    subject.read(
      sources,
      min,
      async () => ({
        seen: 'rows',
        positions: sources.map((source) => stands.get(source) ?? null),
      }),
      reader,
    );
  return { subject, clock, told, stands, moved, read };
};
/** What a promise has come to by now. */
const settled = async (promise: Promise<Read<string> | Behind>) => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
  return Promise.race([promise, Promise.resolve('waits' as const)]);
};

const seen = (position: number) => ({ seen: 'rows', position });
const behind = (asked: number, stands: number) => ({
  refused: 'READ_MODEL_BEHIND',
  detail: `asked for ${asked}, what is read stands at ${stands}`,
});

test.for([
  ['asked for nothing: the lowest of what is read', ['orders', 'wallets'], undefined, seen(5)],
  ['there is nothing of it', ['unheard'], undefined, 'waits'],
  ['reached already', ['orders'], at(7), seen(7)],
  ['one of two is behind', ['orders', 'wallets'], at(6), 'waits'],
  [
    'another store',
    ['orders'],
    at(1, OTHER),
    { refused: 'FOREIGN_POSITION', detail: `the position is of store ${OTHER}, this is store ${STORE}` },
  ],
] as const)('at once: %s', async ([, sources, min, answer]) => {
  const { read } = given({ orders: 7, wallets: 5 });
  expect(await settled(read(sources, min))).toEqual(answer);
});

test('a wait ends when the last projection that it needs arrives, and tells the position then', async () => {
  const { read, moved, told } = given({ orders: 1, wallets: 1 });
  const waiting = read(['orders', 'wallets'], at(10));
  moved('orders', 12);
  expect(await settled(waiting)).toBe('waits');
  moved('wallets', 11);
  expect(await waiting).toEqual(seen(11));
  expect(told).toEqual([true, 'reached', false]);
});

test('a wait ends as behind after two seconds', async () => {
  const { read, clock, told } = given({ orders: 3 });
  const waiting = read(['orders'], at(4));
  clock.pass(1_999);
  expect(await settled(waiting)).toBe('waits');
  clock.pass(1);
  expect(await waiting).toEqual(behind(4, 3));
  expect(told).toEqual([true, 'behind', false]);
});

test('what was heard and then taken back is not believed: the position is the one in the rows', async () => {
  const { read, stands, moved } = given({ orders: 9 });
  stands.set('orders', 6);
  const waiting = read(['orders'], at(8));
  expect(await settled(waiting)).toBe('waits');
  moved('orders', 7);
  expect(await settled(waiting)).toBe('waits');
  moved('orders', 8);
  expect(await waiting).toEqual(seen(8));
});

test('what was shown once is never fallen behind, whoever asks and for whatever', async () => {
  const { read, moved, clock } = given({ orders: 9, wallets: 9 });
  expect(await read(['orders'])).toEqual(seen(9));
  moved('orders', 2);
  moved('wallets', 2);
  const [orders, wallets] = [read(['orders']), read(['wallets'])];
  expect(await wallets).toEqual(seen(2));
  expect(await settled(orders)).toBe('waits');
  moved('orders', 9);
  expect(await orders).toEqual(seen(9));
  moved('orders', 8);
  const refused = read(['orders'], at(3));
  expect(await settled(refused)).toBe('waits');
  clock.pass(2_000);
  expect(await refused).toEqual({
    refused: 'READ_MODEL_BEHIND',
    detail: 'what is read went back to 8, and was at 9 before',
  });
});

test('nothing behind the head of the store at the start is shown: other processes may have shown it', async () => {
  const { read, moved } = given({ orders: 6 }, { shownBefore: 7 });
  const waiting = read(['orders']);
  expect(await settled(waiting)).toBe('waits');
  moved('orders', 7);
  expect(await waiting).toEqual(seen(7));
});

test('who reads slowly is not held up by what others are shown meanwhile', async () => {
  const { subject, moved, read } = given({ orders: 5 });
  const look = Promise.withResolvers<{ seen: string; positions: number[] }>();
  const slow = subject.read(['orders'], at(5), () => look.promise);
  await settled(slow);
  moved('orders', 6);
  expect(await read(['orders'])).toEqual(seen(6));
  look.resolve({ seen: 'rows', positions: [5] });
  expect(await slow).toEqual(seen(5));
});

test('whatever is heard, lost and taken back: no answer lies below what was asked for or shown before it began', async () => {
  const step = fc.oneof(
    fc.record({ does: fc.constant('commit' as const), by: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ does: fc.constant('crash' as const), by: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ does: fc.constant('hear' as const), by: fc.integer({ min: -5, max: 5 }) }),
    fc.record({ does: fc.constant('ask' as const), by: fc.integer({ min: -3, max: 2 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const { subject, stands, clock, read } = given({ orders: 5 });
      let shown = 0;
      for (const { does, by } of steps) {
        const now = stands.get('orders') ?? 0;
        if (does === 'commit') stands.set('orders', now + by);
        else if (does === 'crash') stands.set('orders', Math.max(0, now - by));
        else if (does === 'hear') subject.moved('orders', Math.max(0, now + by));
        else {
          const min = Math.max(0, now + by);
          const answering = read(['orders'], at(min));
          await settled(answering);
          clock.pass(2_000);
          const answer = await answering;
          if ('refused' in answer) continue;
          expect(answer.position).toBe(now);
          expect(answer.position).toBeGreaterThanOrEqual(Math.max(min, shown));
          shown = answer.position;
        }
      }
    }),
  );
});

test('the number of those who wait is bounded; who comes then is told to come back', async () => {
  const bounds = { max: 2, perAddressMax: 2, perAccountMax: 2 };
  const { read, moved, told } = given({ orders: 1 }, { bounds });
  const waiting = [read(['orders'], at(2), of('ann')), read(['orders'], at(3), of('bob'))];
  expect(await read(['orders'], at(2), of('cid'))).toEqual({
    refused: 'OVERLOADED',
    detail: '2 waiting requests of all clients together are as many as there may be',
  });
  moved('orders', 3);
  expect(await Promise.all(waiting)).toEqual([seen(3), seen(3)]);
  expect(told).toEqual([true, 'turned_away', 'reached', 'reached', false]);
});

test('one address, or one account from many, leaves room for the others', async () => {
  const bounds = { max: 9, perAddressMax: 2, perAccountMax: 1 };
  const { subject, read, moved } = given({ orders: 1 }, { bounds });
  const refusal = (what: string) => ({ refused: 'REQUEST_LIMIT', detail: expect.stringContaining(what) });
  const waiting = [read(['orders'], at(2), of('ann')), read(['orders'], at(2), of('ann', 'hers'))];
  expect(await read(['orders'], at(2), of('ann'))).toEqual(refusal('2 waiting requests of one address'));
  expect(await read(['orders'], at(2), of('bob', 'hers'))).toEqual(
    refusal('1 waiting requests of one account'),
  );
  // What a stream reads for itself has its place already.
  waiting.push(read(['orders'], at(2), of('bob')), read(['orders'], at(2)));
  expect(subject.waiting()).toBe(4);
  moved('orders', 2);
  expect(await Promise.all(waiting)).toEqual(waiting.map(() => seen(2)));
  expect(await settled(read(['orders'], at(3), of('ann')))).toBe('waits');
});

test('whoever goes gives the place back at once', async () => {
  const bounds = { max: 1, perAddressMax: 1, perAccountMax: 1 };
  const { subject, read, moved, told } = given({ orders: 1 }, { bounds });
  const ann = of('ann');
  const gone = read(['orders'], at(2), ann);
  ann.go();
  expect(await gone).toEqual(behind(2, 1));
  expect([subject.waiting(), ann.listeners.size]).toEqual([0, 0]);
  const stays = read(['orders'], at(2), ann);
  expect(ann.listeners.size).toBe(1);
  moved('orders', 2);
  expect([await stays, ann.listeners.size]).toEqual([seen(2), 0]);
  expect(told).toEqual([true, 'gone', false, true, 'reached', false]);
});

/** A reader who can go. */
function of(address: string, accountId: string | null = null) {
  const listeners = new Set<() => void>();
  return {
    address,
    accountId,
    listeners,
    onGone(listener: () => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    go: () => [...listeners].forEach((listener) => listener()),
  };
}

test('closing ends every wait', async () => {
  const { subject, read } = given({ orders: 1 });
  const waiting = read(['orders'], at(2));
  subject.close();
  expect(await waiting).toEqual(behind(2, 1));
  expect(subject.waiting()).toBe(0);
});
