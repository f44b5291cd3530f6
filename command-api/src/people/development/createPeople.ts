import { type AccountFact, clientStream, eventIdOf, mintId, normalPassword, seal } from '@brokerx/contracts';
import { isErased } from '@brokerx/infra';
import pLimit from 'p-limit';
import type { Account } from '../../account/account.ts';
import { openAccount, setExemptions, transferCash, transferShares } from '../../money/money.ts';
import { isRegistered } from '../client.ts';
import { register, verifyByOperator } from '../decider.ts';
import { accountIdOf, clientIdOf } from '../lookups.ts';
import { causeOf, type People, withoutKey } from '../people.ts';
import { confirmAddress } from '../registration/addresses.ts';
import { sealedRegistration } from '../registration/registration.ts';

/**
 * Makes verified, funded people in bulk, for tests and loads: nobody reads a passcode. By the steps of a registration, each of
 * which does nothing when it is done already, so a repetition with the same key finishes what a crash left.
 */
export type NewPeople = {
  count: number;
  label: string;
  /** The same for all of them, hashed once: a hash for each would take minutes for thousands. */
  password: string;
  amount?: string | undefined;
  shares: readonly { symbol: string; qty: string }[];
  exempt: boolean;
  reason: string;
};
export type CreatedPerson = { email: string; client_id: string; account_id: string };

const AT_ONCE_MAX = 16;
/** They prove nothing, and several may give the same one. */
const PHONE = '+15145550100';

export async function createPeople(
  people: People,
  wanted: NewPeople,
  by: { operator: string; key: string; traceparent: string },
): Promise<CreatedPerson[]> {
  const passwordHash = await people.passwords.hash(normalPassword(wanted.password));
  const limit = pLimit(AT_ONCE_MAX);
  const numbers = Array.from({ length: wanted.count }, (_, index) => index + 1);
  return Promise.all(
    numbers.map((number) => limit(() => createPerson(people, { ...wanted, number, passwordHash }, by))),
  );
}

type NewPerson = NewPeople & { number: number; passwordHash: string };

async function createPerson(
  people: People,
  { label, number, passwordHash, reason, ...means }: NewPerson,
  { operator, key: requestKey, traceparent }: { operator: string; key: string; traceparent: string },
): Promise<CreatedPerson> {
  const { clients, vault, lookups, accounts, runtime } = people;
  const clientId = clientIdOf(`${requestKey}/${number}`);
  const accountId = accountIdOf(clientId);
  const ids = { clientId, accountId };
  const email = `${label}.${number}.${requestKey.slice(24)}@people.test`;
  const key = await vault.createKey(clientId);
  if (isErased(key)) throw new Error(`${email} was erased, and is not made again`);
  const cause = causeOf(people, `operator:${operator}`, { traceparent });
  const stream = clientStream(clientId);
  const emailHmac = lookups.emailHmac(email);
  const personal = {
    name: `${label} ${number}`,
    address: '-',
    birth_date: '1990-06-15',
    email,
    phone: PHONE,
    passwordHash,
  };
  await clients.execute(stream, cause, (client, commitId) => ({
    facts: register(client, {
      registration: {
        clientId,
        emailHmac,
        phoneHmac: lookups.phoneHmac(PHONE),
        ...sealedRegistration(people, key, eventIdOf(commitId, 0), personal),
        accountId,
        roles: ['trader'],
      },
      passcode: null,
    }).facts,
    reply: null,
  }));
  // One commit: who has an account has the means, too.
  await accounts.execute(accountId, (account, { commitId }) => {
    const facts = openAccount(account, ids);
    if (facts.length === 0) return { reply: null, rests: 'present' };
    const all = [...facts, ...meansOf(account, means, () => mintId(runtime))];
    return { events: seal(commitId, withoutKey(cause), all), symbol: null };
  });
  if (!(await confirmAddress(people, { clientId, emailHmac }, cause)))
    throw new Error(`${email} is another client's`);
  await clients.execute(stream, cause, (client) => {
    if (!isRegistered(client)) throw new Error(`${email} was recorded and is not there`);
    return { facts: verifyByOperator(client, reason).facts, reply: null };
  });
  return { email, client_id: clientId, account_id: accountId };
}

/** An empty account can take all that the form of the request allows. */
function meansOf(
  account: Account,
  { amount, shares, exempt }: Pick<NewPeople, 'amount' | 'shares' | 'exempt'>,
  newId: () => string,
): AccountFact[] {
  return [
    ...(exempt ? [setExemptions({ bands_off: true, quotas_off: true })] : []),
    ...(amount === undefined ? [] : [transferCash(account, { transferId: newId(), amount })]),
    ...shares.map(({ symbol, qty }) =>
      transferShares(account, { transferId: newId(), symbol, qty, listed: true }),
    ),
  ];
}
