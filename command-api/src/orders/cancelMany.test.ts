import type { AccountFact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { accountWith, at, eventOf, placed, T0 } from '../../test/facts.ts';
import { type Account, evolve } from '../account/account.ts';
import { fireDeadline, setDeadline } from '../protection/deadMan.ts';
import { activateKillSwitch } from '../protection/killSwitch.ts';
import { CANCELED_ORDERS_MAX, CANCELS_PER_COMMIT_MAX, cancelOrders, cancelsLeft } from './cancel.ts';
import { orderCancelsView } from './views.ts';

/** An account without quotas has more open orders than one command, one commit or one event may speak of. */
const ACCOUNT = at(1);
const cash: AccountFact = {
  type: 'CashTransferredIn.v1',
  data: { transferId: at(2), amountCents: 100_000_000_000 },
};
const crowded = (count: number, ...facts: AccountFact[]) =>
  accountWith(
    cash,
    ...Array.from({ length: count }, (_, n) =>
      placed({ orderId: at(1_000 + n), symbol: ['ACME', 'BETA', 'ZZZ'][n % 3] as string }),
    ),
    ...facts,
  );
const all = { accountId: ACCOUNT, filter: { all: true } } as const;

test('one command cancels 10,000 orders at most, and says that there may be more', () => {
  const { facts } = cancelOrders(crowded(CANCELED_ORDERS_MAX + 1), all);
  const { items, more } = orderCancelsView(facts[0]);
  expect([items.length, more]).toEqual([CANCELED_ORDERS_MAX, true]);
  expect(facts).toHaveLength(1 + CANCELS_PER_COMMIT_MAX);
  // A message of Kafka has two megabytes.
  expect(JSON.stringify(facts).length).toBeLessThan(1_000_000);
  expect(orderCancelsView(cancelOrders(crowded(500), all).facts[0])).toMatchObject({ more: false });
});

/** Decides and records until nothing is left to do; says what each commit held. */
function goOn(account: Account, first: readonly AccountFact[], next: () => readonly AccountFact[]) {
  const commits: (readonly AccountFact[])[] = [];
  let revision = 1_000_000;
  for (let facts = first; facts.length > 0; facts = next()) {
    commits.push(facts);
    for (const fact of facts) evolve(account, eventOf(fact), revision++);
  }
  return commits;
}

const COUNT = 5_000;

test.for<[what: string, work: (account: Account) => (readonly AccountFact[])[]]>([
  [
    'the kill switch',
    (account) => {
      const switched = activateKillSwitch(account, { accountId: ACCOUNT, by: 'owner', reason: null });
      return goOn(
        account,
        'facts' in switched ? switched.facts : [switched],
        () => cancelsLeft(account).facts,
      );
    },
  ],
  [
    'the dead-man switch',
    (account) => {
      const nowMs = Date.parse(T0) + 60_000;
      const due = () => fireDeadline(account, nowMs)?.facts ?? [];
      return goOn(account, due(), due);
    },
  ],
])(
  '%s asks for the cancel of each order once, a commit of one symbol and bounded size at a time, and ends',
  ([, work]) => {
    const deadline = setDeadline({ accountId: ACCOUNT, seconds: 1, nowMs: Date.parse(T0) });
    const commits = work(crowded(COUNT, deadline)).map((facts) =>
      facts.flatMap((fact) => (fact.type === 'OrderCancelRequested.v1' ? [fact.data] : [])),
    );
    expect(Math.max(...commits.map((cancels) => cancels.length))).toBe(CANCELS_PER_COMMIT_MAX);
    for (const cancels of commits) expect(new Set(cancels.map(({ symbol }) => symbol)).size).toBeLessThan(2);
    const ids = commits.flat().map(({ orderId }) => orderId);
    expect([ids.length, new Set(ids).size]).toEqual([COUNT, COUNT]);
    expect(commits.length).toBeLessThan(COUNT / CANCELS_PER_COMMIT_MAX + 5);
  },
);
