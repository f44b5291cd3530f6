import { randomBytes, randomUUID } from 'node:crypto';
import { type ClientEvent, clientStream, type Event, eventCodec } from '@brokerx/contracts';
import {
  type Appender,
  AppenderClosed,
  groupCommit,
  memoryEventStore,
  memorySnapshots,
  memoryTallies,
  memoryVault,
  realRuntime,
} from '@brokerx/infra';
import { expect, test } from 'vitest';
import { quiet } from '../../../test/world.ts';
import { accountsInMemory } from '../../account/accounts.ts';
import { lookups } from '../lookups.ts';
import { people } from '../people.ts';
import type { Passwords } from '../signIn/passwords.ts';
import { mailLimits } from './mailLimits.ts';
import { registerClient, sendPasscodeAgain, verifyRegistration } from './registration.ts';

/** Processes about people that die at a chosen append, over one store and one vault in memory. */
const body = {
  name: 'Ann Example',
  address: '1 Example Street',
  birth_date: '1990-04-01',
  email: 'ann@example.com',
  phone: '+15145550123',
  password: 'walnut ferry copper lantern',
};
const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
const from = { traceparent, ip: '192.0.2.1', isGone: () => false };
const LIMITS = { perMailboxMax: 100, perNetworkMax: 100, inAllMax: 100 };
const plain: Passwords = { hash: async () => 'a hash', verify: async () => true };

function installation() {
  const store = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const vault = memoryVault();
  const found = lookups(randomBytes(32));
  const limits = mailLimits(memoryTallies(realRuntime), LIMITS, found);
  /** A process that dies before its append number `dies`, counted from 0. */
  const process = (dies = Number.POSITIVE_INFINITY) => {
    let appends = 0;
    const live = groupCommit(store);
    const appender: Appender<Event> = {
      async append(commit) {
        appends += 1;
        if (appends > dies) throw new AppenderClosed('killed');
        return live.append(commit);
      },
      close: () => live.close(),
    };
    const ports = { store, appender, runtime: realRuntime, log: quiet };
    const accounts = accountsInMemory({ ...ports, snapshots: memorySnapshots({ storeId: store.id }) });
    return people({ ...ports, accounts, vault, lookups: found, passwords: plain, mailLimits: limits });
  };
  const events = async () => {
    const { events } = await store.readAll(0, {}, 1_000);
    return events.map(({ stream, event }) => `${stream.split('-')[0]} ${event.type}`);
  };
  const code = async (clientId: string) => {
    const stored = await store.readStream(clientStream(clientId), 0, 100);
    const issued = stored.findLast(({ event }) => (event as ClientEvent).type === 'PasscodeIssued.v1');
    return found.passcode(clientId, issued?.event.id ?? '');
  };
  return { store, process, events, code, found };
}

const REGISTERED = ['client ClientRegistered.v1', 'client PasscodeIssued.v1'];
const VERIFIED = ['account AccountOpened.v1', 'email ReservationConfirmed.v1', 'client ClientVerified.v1'];

test('registration records the client alone; verification the account, the address, then the client', async () => {
  const { process, events, code } = installation();
  const registered = await registerClient(process(), body, { key: randomUUID(), ...from });
  expect(await events()).toEqual(REGISTERED);
  if ('refused' in registered) throw new Error(registered.refused);
  const clientId = registered.view.registration_id;
  const request = { key: randomUUID(), ...from };
  await verifyRegistration(process(), clientId, { code: await code(clientId) }, request);
  expect(await events()).toEqual([...REGISTERED, ...VERIFIED]);
});

test('a registration killed before it was recorded is finished by its repetition', async () => {
  const { process, events } = installation();
  const request = { key: randomUUID(), ...from };
  await expect(registerClient(process(0), body, request)).rejects.toThrow(AppenderClosed);
  const again = await registerClient(process(), body, request);
  expect(again).toMatchObject({ view: { status: 'pending_verification' }, replayed: false });
  expect(await events()).toEqual(REGISTERED);
});

test.for([0, 1, 2])(
  'a verification killed before its step %i is finished by its repetition',
  async (dies) => {
    const { process, events, code } = installation();
    const registered = await registerClient(process(), body, { key: randomUUID(), ...from });
    if ('refused' in registered) throw new Error(registered.refused);
    const clientId = registered.view.registration_id;
    const request = { key: randomUUID(), ...from };
    const typed = { code: await code(clientId) };
    await expect(verifyRegistration(process(dies), clientId, typed, request)).rejects.toThrow(AppenderClosed);
    const done = await verifyRegistration(process(), clientId, typed, request);
    expect(done).toMatchObject({ view: { status: 'verified', client_id: clientId }, replayed: false });
    expect(await events()).toEqual([...REGISTERED, ...VERIFIED]);
    const replayed = await verifyRegistration(process(), clientId, typed, request);
    expect(replayed).toMatchObject({ view: { status: 'verified', client_id: clientId }, replayed: true });
  },
);

test('an address belongs to whoever verifies first; a telephone number to nobody', async () => {
  const { process, events, code } = installation();
  const one = process();
  const registered = async (given: Partial<typeof body>) => {
    const answer = await registerClient(one, { ...body, ...given }, { key: randomUUID(), ...from });
    if ('refused' in answer) throw new Error(answer.refused);
    return answer.view.registration_id;
  };
  const verify = async (id: string) =>
    verifyRegistration(one, id, { code: await code(id) }, { key: randomUUID(), ...from });
  const [first, second] = [await registered({}), await registered({ password: 'another long password' })];
  const neighbour = await registered({ email: 'bob@example.com' });
  expect(await verify(second)).toMatchObject({ view: { status: 'verified' } });
  expect(await verify(first)).toEqual({ refused: 'PASSCODE_WRONG' });
  expect(await verify(neighbour)).toMatchObject({ view: { status: 'verified' } });
  expect((await events()).filter((name) => name.startsWith('phone'))).toEqual([]);
});

test('a key belongs to one command', async () => {
  const { process, code } = installation();
  const key = randomUUID();
  const registered = await registerClient(process(), body, { key, ...from });
  if ('refused' in registered) throw new Error(registered.refused);
  const clientId = registered.view.registration_id;
  const reused = { refused: 'IDEMPOTENCY_KEY_REUSED' };
  const request = { key, ...from };
  expect(await verifyRegistration(process(), clientId, { code: await code(clientId) }, request)).toEqual(
    reused,
  );
  expect(await sendPasscodeAgain(process(), clientId, request)).toEqual(reused);
});

test('the body of a request is stored neither in the clear nor as a hash that could be guessed', async () => {
  const { store, process } = installation();
  const [one, other] = [randomUUID(), randomUUID()];
  await registerClient(process(), body, { key: one, ...from });
  await registerClient(process(), body, { key: other, ...from });
  const { events } = await store.readAll(0, { categories: ['client'] }, 100);
  const hashes = events.flatMap(({ event }) => (event.key ? [event.key.hash] : []));
  expect(hashes.length).toBe(2);
  expect(hashes[0]).not.toBe(hashes[1]);
});
