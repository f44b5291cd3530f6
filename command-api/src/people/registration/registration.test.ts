import { randomUUID } from 'node:crypto';
import { AppenderClosed } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { body, from, installation } from '../../../test/registrationsInMemory.ts';
import { registerClient, sendPasscodeAgain, verifyRegistration } from './registration.ts';

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
