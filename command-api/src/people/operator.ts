import { clientStream, eventIdOf, normalPassword } from '@brokerx/contracts';
import { isErased } from '@brokerx/infra';
import { isRegistered } from './client.ts';
import { register, verifyByConfiguration } from './decider.ts';
import { accountIdOf, operatorIdOf } from './lookups.ts';
import { causeOf, clientKey, type People, passwordHashOf } from './people.ts';
import { addressOf, confirmAddress } from './registration/addresses.ts';
import { openAccountOf, sealedRegistration } from './registration/registration.ts';
import { matchingForm } from './signIn/passwordForms.ts';

/**
 * Makes the first operator from the configuration, by the steps of any registration except the passcode: client, account,
 * address, verification. A step that is done already does nothing, so any number of processes may start at once and die
 * at any moment.
 */
export async function bootstrapOperator(
  people: People,
  operator: { email: string; password: string },
  traceparent: string,
): Promise<void> {
  const { clients, vault, lookups, passwords, log } = people;
  const emailHmac = lookups.emailHmac(operator.email);
  const clientId = operatorIdOf(emailHmac);
  const { owner } = await addressOf(people, emailHmac);
  if (owner !== null && owner !== clientId) {
    log.warn({ clientId: owner }, 'OPERATOR_EMAIL belongs to a client, who is left as he is');
    return;
  }
  const stream = clientStream(clientId);
  const { state: current } = await clients.read(stream);
  if (current.status === 'verified') {
    const key = await clientKey(people, clientId);
    const hash = key && passwordHashOf(key, current);
    if ((await matchingForm(passwords, hash, operator.password)) === null) {
      log.warn({ clientId }, 'the operator has another password than OPERATOR_PASSWORD, and keeps it');
    }
    return;
  }
  const key = await vault.createKey(clientId);
  if (isErased(key)) {
    log.warn({ clientId }, 'the operator of OPERATOR_EMAIL was erased, and is not made again');
    return;
  }
  const cause = causeOf(people, 'system:configuration', { traceparent });
  const ids = { clientId, accountId: accountIdOf(clientId) };
  const passwordHash = await passwords.hash(normalPassword(operator.password));
  await clients.execute(stream, cause, (client, commitId) => ({
    facts: register(client, {
      registration: {
        clientId,
        emailHmac,
        phoneHmac: '',
        ...sealedRegistration(people, key, eventIdOf(commitId, 0), {
          name: 'Operator',
          address: '-',
          birth_date: '-',
          email: operator.email,
          phone: '-',
          passwordHash,
        }),
        accountId: ids.accountId,
        roles: ['operator', 'analyst', 'trader'],
      },
      passcode: null,
    }).facts,
    reply: null,
  }));
  await openAccountOf(people, ids, cause);
  if (!(await confirmAddress(people, { clientId, emailHmac }, cause))) {
    throw new Error('somebody verified the address of the operator while the operator was made');
  }
  await clients.execute(stream, cause, (client) => {
    if (!isRegistered(client)) throw new Error('the operator was recorded and is not there');
    return { facts: verifyByConfiguration(client).facts, reply: null };
  });
  log.info({ clientId }, 'the first operator is ready');
}
