import { expect, test } from 'vitest';
import { seededRandom } from '../src/random.ts';
import { adjust, ladder, nextMid } from '../src/traders/quotes.ts';

test('the ladder stands on both sides of the mid and never crosses itself', () => {
  const quotes = ladder(10_000, 10_000, seededRandom(1));
  const bids = quotes.filter(({ side }) => side === 'buy').map(({ priceCents }) => priceCents);
  const asks = quotes.filter(({ side }) => side === 'sell').map(({ priceCents }) => priceCents);
  expect(bids).toEqual([9_995, 9_990, 9_985, 9_980]);
  expect(asks).toEqual([10_005, 10_010, 10_015, 10_020]);
});

test('a penny stock has bids above zero only', () => {
  expect(ladder(2, 2, seededRandom(1)).filter(({ side }) => side === 'buy')).toMatchObject([
    { priceCents: 1 },
  ]);
});

test('quotes near enough stay, those far away go, the missing ones come', () => {
  const wanted = [
    { side: 'buy', priceCents: 9_995, shares: 10 },
    { side: 'sell', priceCents: 10_005, shares: 10 },
  ] as const;
  const near = { id: 'near', side: 'buy', priceCents: 9_998, shares: 7 } as const;
  const far = { id: 'far', side: 'sell', priceCents: 10_100, shares: 10 } as const;
  expect(adjust([near, far], wanted, 10_000)).toEqual({ cancel: [far], place: [wanted[1]] });
});

test('the walk of the mid stays within the collar for ever, and the same seed walks the same way', () => {
  const walk = (seed: number) => {
    const random = seededRandom(seed);
    const mids = [10_000];
    for (let step = 0; step < 5_000; step++) mids.push(nextMid(mids.at(-1) as number, 10_000, random));
    return mids;
  };
  const mids = walk(42);
  expect(Math.max(...mids)).toBeLessThanOrEqual(10_400);
  expect(Math.min(...mids)).toBeGreaterThanOrEqual(9_600);
  expect(walk(42)).toEqual(mids);
});
