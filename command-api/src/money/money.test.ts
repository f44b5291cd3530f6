import type { AccountFact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { accountWith, at } from '../../test/facts.ts';
import { initialAccount } from '../account/account.ts';
import {
  DEPOSITS_PENDING_MAX,
  openAccount,
  rejectDeposit,
  requestDeposit,
  settleDeposit,
  transferCash,
  transferShares,
} from './money.ts';

const cash = (amountCents: number): AccountFact => ({
  type: 'CashTransferredIn.v1',
  data: { transferId: at(2), amountCents },
});
const pending = (depositId: string, amountCents: number): AccountFact => ({
  type: 'DepositRequested.v1',
  data: { depositId, amountCents },
});

test('an account is opened once', () => {
  const ids = { accountId: at(1), clientId: at(9) };
  expect(openAccount(initialAccount(), ids)).toEqual([{ type: 'AccountOpened.v1', data: ids }]);
  expect(openAccount(accountWith(), ids)).toEqual([]);
});

// A wallet takes 10,000.00: cash and what is on its way count.
test.for([
  ['fills the wallet', [], '10000.00', 'DepositRequested.v1'],
  ['is a cent too much', [], '10000.01', 'WALLET_LIMIT'],
  ['meets cash that is there', [cash(999_999)], '0.02', 'WALLET_LIMIT'],
  ['meets a deposit on its way', [pending(at(3), 600_000)], '4000.01', 'WALLET_LIMIT'],
  [
    'is one of too many on their way',
    Array.from({ length: DEPOSITS_PENDING_MAX }, (_, i) => pending(at(100 + i), 1)),
    '0.01',
    'WALLET_LIMIT',
  ],
] as const)('a deposit that %s', ([, facts, amount, expected]) => {
  const fact = requestDeposit(accountWith(...facts), { depositId: at(4), amount });
  expect(fact.type === 'CommandRefused.v1' ? fact.data.code : fact.type).toBe(expected);
});

test('a deposit ends once, however often the payment service answers', () => {
  const requested = pending(at(4), 2_500);
  const settled: AccountFact = { type: 'DepositSettled.v1', data: { depositId: at(4), amountCents: 2_500 } };
  const account = accountWith(requested);
  expect(settleDeposit(account, at(4))).toEqual([settled]);
  expect(rejectDeposit(account, at(4), 'card_expired')).toEqual([
    { type: 'DepositRejected.v1', data: { depositId: at(4), amountCents: 2_500, reason: 'card_expired' } },
  ]);
  const after = accountWith(requested, settled);
  expect([after.cashCents, after.depositsPendingCents]).toEqual([2_500, 0]);
  expect([settleDeposit(after, at(4)), rejectDeposit(after, at(4), 'late')]).toEqual([[], []]);
});

test('transfers are exempt from the wallet’s limit, but not from what can be booked', () => {
  const move = (amount: string) => transferCash(accountWith(cash(1_000)), { transferId: at(5), amount });
  expect(move('99999999989.99').type).toBe('CashTransferredIn.v1');
  expect(move('99999999990.01')).toMatchObject({
    type: 'CommandRefused.v1',
    data: { code: 'BALANCE_LIMIT' },
  });
});

test.for([
  ['UNKNOWN_SYMBOL', '1000000000001', false],
  ['BALANCE_LIMIT', '1000000000001', true],
] as const)('a transfer of shares is refused: %s', ([code, qty, listed]) => {
  const fact = transferShares(accountWith(), { transferId: at(6), symbol: 'ACME', qty, listed });
  expect(fact).toMatchObject({ type: 'CommandRefused.v1', data: { code } });
});
