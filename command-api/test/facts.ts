import {
  type AccountEvent,
  type AccountFact,
  type BookEvent,
  type BookFact,
  MATCHING_RULES_VERSION,
  type MarketState,
  type SymbolRules,
  seal,
} from '@brokerx/contracts';
import { type Account, evolve, initialAccount } from '../src/account/account.ts';
import { emptyKeyLog } from '../src/keyLog.ts';
import { REAL_TIME } from '../src/market/calendar.ts';
import type { Market } from '../src/market/market.ts';

/** Facts and states for examples: account 1 of client 9 trades ACME at 10.00, ticks of a cent, fee 0.1 %. */
export const T0 = '2026-03-02T14:30:00.000Z';
/** A UUID for each small number. */
export const at = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

const cause = {
  time: T0,
  actor: 'client:test',
  correlationId: at(0),
  causationId: at(0),
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
};

export const eventOf = (fact: AccountFact, key?: { id: string; hash: string }, time = T0): AccountEvent =>
  seal(at(7), { ...cause, time, key }, [fact])[0] as AccountEvent;
export const bookEvent = (fact: BookFact): BookEvent => seal(at(8), cause, [fact])[0] as BookEvent;

/** Account 1, open, after these facts. */
export function accountWith(...facts: AccountFact[]): Account {
  const account = initialAccount();
  const opened: AccountFact = { type: 'AccountOpened.v1', data: { accountId: at(1), clientId: at(9) } };
  [opened, ...facts].forEach((fact, revision) => evolve(account, eventOf(fact), revision));
  return account;
}

type Placed = Extract<AccountFact, { type: 'OrderPlaced.v1' }>['data'];

/** A buy of 10 at 10.00 by account 1. */
export function placed(given: Partial<Placed> = {}): AccountFact {
  return {
    type: 'OrderPlaced.v1',
    data: {
      orderId: at(5),
      accountId: at(1),
      clientOrderId: null,
      symbol: 'ACME',
      side: 'buy',
      type: 'limit',
      timeInForce: 'day',
      quantity: 10,
      limitTicks: 1_000,
      tickCents: 1,
      referenceTicks: 1_000,
      bandExempt: false,
      feePpm: 1_000,
      holdCents: 10_010,
      holdShares: 0,
      ...given,
    },
  };
}

export function market(
  given: {
    state?: MarketState;
    bandsOff?: boolean;
    quotasOff?: boolean;
    tickCents?: number;
    matchingRules?: number;
    rules?: Partial<SymbolRules>;
  } = {},
): Market {
  const {
    state = 'continuous',
    bandsOff = false,
    quotasOff = false,
    tickCents = 1,
    matchingRules = MATCHING_RULES_VERSION,
  } = given;
  return {
    symbol: 'ACME',
    name: 'Acme Inc.',
    rules: {
      tickCents,
      listingTicks: 1_000 / tickCents,
      collarPpm: 100_000,
      feePpm: 1_000,
      orderSharesMax: 5_000,
      dailyClose: '21:00',
      ...given.rules,
    },
    matchingRules,
    state,
    halted: state === 'halt',
    marketWide: false,
    session: null,
    clock: REAL_TIME,
    awaiting: null,
    phase: 'continuous',
    phaseAt: '2026-03-02T09:00:00.000Z',
    callSince: null,
    referenceTicks: 1_000 / tickCents,
    bandsOff,
    quotasOff,
    listedAtMs: Date.parse('2026-03-02T09:00:00.000Z'),
    lastDay: '',
    lastTradeTicks: null,
    nextExpiresAt: null,
    revision: 0,
    keys: emptyKeyLog(),
  };
}
