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
import { uuidOf as at, CAUSE, orderPlaced, symbolRules } from '@brokerx/contracts/testing/facts.ts';
import { type Account, evolve, initialAccount } from '../src/account/account.ts';
import { emptyKeyLog } from '../src/idempotencyKeys.ts';
import { REAL_TIME } from '../src/market/calendar.ts';
import type { Market } from '../src/market/market.ts';

export { at };

/** Facts and states for examples: account 1 of client 9 trades ACME at 10.00, ticks of a cent, fee 0.1 %. */
export const T0: string = CAUSE.time;

export const eventOf = (fact: AccountFact, key?: { id: string; hash: string }, time = T0): AccountEvent =>
  seal(at(7), { ...CAUSE, time, key }, [fact])[0] as AccountEvent;
export const bookEvent = (fact: BookFact): BookEvent => seal(at(8), CAUSE, [fact])[0] as BookEvent;

/** Account 1, open, after these facts. */
export function accountWith(...facts: AccountFact[]): Account {
  const account = initialAccount();
  const opened: AccountFact = { type: 'AccountOpened.v1', data: { accountId: at(1), clientId: at(9) } };
  [opened, ...facts].forEach((fact, revision) => evolve(account, eventOf(fact), revision));
  return account;
}

type Placed = Extract<AccountFact, { type: 'OrderPlaced.v1' }>['data'];

/** A buy of 10 at 10.00 by account 1. */
export const placed = (given: Partial<Placed> = {}): AccountFact => orderPlaced(given);

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
    rules: symbolRules({ tickCents, listingTicks: 1_000 / tickCents, ...given.rules }),
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
