import { clientStream, deriveId, emailStream } from '@brokerx/contracts';
import { isErased } from '@brokerx/infra';
import { register, verifyByConfiguration } from './decider.ts';
import { accountIdOf, operatorIdOf } from './lookups.ts';
import { causeOf, clientKey, type People, unsealOf } from './people.ts';
import { claimAddresses, confirmAddresses, openAccountOf, sealedRegistration } from './registration.ts';

/**
 * The first operator comes from configuration, by the steps of any registration but the passcode: claim, client,
 * account, confirmation, verification. Each does nothing when it is done already, so any number of processes may
 * start at once, and die at any moment.
 */
export async function bootstrapOperator(
  people: People,
  operator: { email: string; password: string },
  traceparent: string,
): Promise<void> {
  const { clients, reservations, vault, lookups, passwords, log } = people;
  const emailHmac = lookups.emailHmac(operator.email);
  const clientId = operatorIdOf(emailHmac);
  const { state: reservation } = await reservations.read(emailStream(emailHmac));
  if (reservation.status === 'confirmed' && reservation.clientId !== clientId) {
    log.warn({ clientId: reservation.clientId }, 'OPERATOR_EMAIL belongs to a client, who is left as he is');
    return;
  }
  const stream = clientStream(clientId);
  const { state: known } = await clients.read(stream);
  if (known.status === 'verified') {
    const key = await clientKey(people, clientId);
    const hash = key && unsealOf(key, known, 'passwordHash');
    if (!(await passwords.verify(hash, operator.password))) {
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
  const addresses = { clientId, emailHmac, phoneHmac: '' };
  const ids = { clientId, accountId: accountIdOf(clientId) };
  if (!(await claimAddresses(people, addresses, cause))) {
    log.warn('OPERATOR_EMAIL is being registered by somebody; the operator is made at a later start');
    return;
  }
  const passwordHash = await passwords.hash(operator.password);
  await clients.execute(stream, cause, (client, commitId) => ({
    facts: register(client, {
      registration: {
        ...addresses,
        ...ids,
        ...sealedRegistration(people, key, deriveId(commitId, '0'), {
          name: 'Operator',
          address: '-',
          birth_date: '-',
          email: operator.email,
          phone: '-',
          passwordHash,
        }),
        roles: ['operator', 'analyst', 'trader'],
      },
      passcode: null,
    }).facts,
    reply: null,
  }));
  await openAccountOf(people, ids, cause);
  if (!(await confirmAddresses(people, addresses, cause))) {
    throw new Error('the address of the operator was taken between its claim and its confirmation');
  }
  await clients.execute(stream, cause, (client) => {
    if (client.status === 'unknown') throw new Error('the operator was recorded and is not there');
    return { facts: verifyByConfiguration(client).facts, reply: null };
  });
  log.info({ clientId }, 'the first operator is ready');
}
