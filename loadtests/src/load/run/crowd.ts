import { idSource } from '@brokerx/client';
import { decimalFromCents, mintId } from '@brokerx/contracts';
import { progress } from '../../cli/report.ts';
import type { Target } from '../../own/target.ts';
import { type Person, registerMany, signIn } from '../../people.ts';

/** What each of them has. */
export type Means = { cashCents: number; shares: readonly { symbol: string; shares: number }[] };

/** As one request may make. */
const PEOPLE_PER_REQUEST = 100;
const SYMBOLS_PER_REQUEST = 100;
const SIGN_INS_AT_ONCE = 8;
const FUNDED_AT_ONCE = 16;

/**
 * People with means, without quotas: made in bulk where the installation is in development, and else registered one by one as
 * anybody is.
 */
export async function crowd(target: Target, count: number, means: Means): Promise<Person[]> {
  const label = 'load';
  const inBulk = await bulk(target, count, label, means);
  if (inBulk) return inBulk;
  progress(`registering ${count} people …`);
  const people = await registerMany(target.api, label, count);
  await eachOf(people, FUNDED_AT_ONCE, async ({ accountId }) => {
    await target.operator.exemptAccount(accountId);
    if (means.cashCents > 0) await target.operator.giveCash(accountId, means.cashCents);
  });
  await giveShares(target, people, means.shares);
  return people;
}

/** Undefined where there is no such route. */
async function bulk(
  target: Target,
  count: number,
  label: string,
  { cashCents, shares }: Means,
): Promise<Person[] | undefined> {
  const { api, operator } = target;
  const password = `load ${mintId(idSource)}`;
  const emails: string[] = [];
  while (emails.length < count) {
    const outcome = await api.command<{ items: { email: string }[] }>({
      method: 'POST',
      path: '/dev/people',
      token: await operator.person.token(),
      body: {
        count: Math.min(PEOPLE_PER_REQUEST, count - emails.length),
        label,
        password,
        ...(cashCents > 0 ? { amount: decimalFromCents(cashCents) } : {}),
        shares: shares
          .slice(0, SYMBOLS_PER_REQUEST)
          .map(({ symbol, shares: qty }) => ({ symbol, qty: String(qty) })),
        exempt: true,
        reason: 'people for a load',
      },
    });
    if (outcome.kind === 'refused' && outcome.status === 404) return undefined;
    if (outcome.kind !== 'ok') throw new Error(`making people: ${JSON.stringify(outcome)}`);
    emails.push(...outcome.body.items.map(({ email }) => email));
    progress(`${emails.length} of ${count} people are made`);
  }
  const people: Person[] = [];
  await eachOf(
    emails.map((email, index) => ({ email, index })),
    SIGN_INS_AT_ONCE,
    async ({ email, index }) => {
      people[index] = await signIn(api, email, password);
    },
  );
  await giveShares(target, people, shares.slice(SYMBOLS_PER_REQUEST));
  return people;
}

const giveShares = (
  { operator }: Target,
  people: readonly Person[],
  shares: Means['shares'],
): Promise<void> =>
  eachOf(people, FUNDED_AT_ONCE, async ({ accountId }) => {
    for (const { symbol, shares: count } of shares) await operator.giveShares(accountId, symbol, count);
  });

async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await work(items[next++] as T);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
