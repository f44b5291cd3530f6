import { SELF_TRADE_MODES } from '@brokerx/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ACCOUNT, desk } from '../test/desk.ts';
import { compare } from './simulate.ts';

/** The books are thin, with odd quantities, at prices so low that one tick often decides what an amount of money buys. */
const OTHER = '0000acc0-0000-4000-8000-000000000002';
const seller = fc.record({
  shares: fc.integer({ min: 1, max: 25 }),
  ticks: fc.integer({ min: 12, max: 30 }),
  isOwn: fc.nat(3).map((n) => n === 0),
  peak: fc.option(fc.integer({ min: 1, max: 6 })),
  isListed: fc.nat(4).map((n) => n === 0),
});
const market = fc.record({
  lotShares: fc.constantFrom(1, 2, 7, 10),
  orderSharesMax: fc.constantFrom(30, 10_000),
  bandPpm: fc.constantFrom(150_000, undefined),
  sellers: fc.array(seller, { minLength: 1, maxLength: 8 }),
  money: fc.array(
    fc.record({ lots: fc.integer({ min: 1, max: 5 }), ticks: fc.integer({ min: 12, max: 40 }) }),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
  selfTrade: fc.constantFrom(...SELF_TRADE_MODES.filter((mode) => mode !== 'decrement')),
});

type Market = typeof market extends fc.Arbitrary<infer T> ? T : never;

function inputsOf({ sellers, money, selfTrade, bandPpm, ...rules }: Market) {
  const d = desk('SIM');
  const band = bandPpm === undefined ? {} : { bandPpm };
  return [
    d.list({ ...rules, ...band, listingTicks: 20, collarPpm: 500_000 }, 4),
    ...sellers.map(({ shares, ticks, isOwn, peak, isListed }, n) => {
      const accountId = isOwn ? ACCOUNT : OTHER;
      if (isListed) return d.sellOco([`${n}P`, `${n}L`], shares, [ticks, 8], { accountId });
      const displayQuantity = (peak ?? shares) * rules.lotShares;
      const icebergTerms = displayQuantity < shares ? { displayQuantity } : {};
      return d.sell(`${n}S`, shares, ticks, { accountId, ...icebergTerms });
    }),
    ...money.map(({ lots, ticks }, n) =>
      d.buy(`${n}N`, 0, 30, {
        type: 'market',
        timeInForce: 'ioc',
        notionalCents: lots * rules.lotShares * ticks,
        selfTrade,
      }),
    ),
  ];
}

test('buys for an amount of money: the engine and the model agree, and the whole is lots', () => {
  const kindCounts = new Map<string, number>();
  fc.assert(
    // A seed that is a multiple of three has little room for an input’s outputs.
    fc.property(market, fc.constantFrom(1, 3), (given, seed) => {
      const { kinds } = compare(inputsOf(given), seed);
      for (const [kind, count] of Object.entries(kinds))
        kindCounts.set(kind, (kindCounts.get(kind) ?? 0) + count);
    }),
    { numRuns: 2_000, seed: 1 },
  );
  for (const kind of ['OrderCompleted.v1', 'INSUFFICIENT_LIQUIDITY', 'SELF_TRADE_PREVENTED'])
    expect(kindCounts.get(kind), kind).toBeGreaterThan(15);
  for (const kind of ['EXECUTION_RULE_PRICE_RANGE_EXCEEDED', 'EXECUTION_BOUND', 'OCO_TRIGGER'])
    expect(kindCounts.get(kind), kind).toBeGreaterThan(5);
});
