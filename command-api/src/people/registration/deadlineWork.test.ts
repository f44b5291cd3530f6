import { randomUUID } from 'node:crypto';
import { clientStream } from '@brokerx/contracts';
import { AppenderClosed, ERASED, unseal } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { body, DAY_MS, from, installation } from '../../../test/registrationsInMemory.ts';
import { virtualTime } from '../../../test/virtualTime.ts';
import { type Mail, MailNotTaken } from '../../mail/mail.ts';
import { PASSCODE_VALID_MS } from '../decider.ts';
import type { People } from '../people.ts';
import { expiries, reminders } from './deadlineWork.ts';
import { registerClient, sendPasscodeAgain, verifyRegistration } from './registration.ts';

/** Registrations that nobody confirms, in processes that die at a chosen moment, and beside others that confirm them. */
const settings = { remindBeforeMs: 3_600_000, perSecondMax: 1_000 };
const notStopping = new AbortController().signal;
const REGISTERED = ['client ClientRegistered.v1', 'client PasscodeIssued.v1'];
const EXPIRED = 'client RegistrationExpired.v1';
const CONFIRMED = ['account AccountOpened.v1', 'email ReservationConfirmed.v1'];

async function given() {
  const time = virtualTime(Date.parse('2026-01-05T12:00:00.000Z'));
  const there = installation(time.runtime);
  const register = async (changes: Partial<typeof body> = {}) => {
    const answer = await registerClient(there.process(), { ...body, ...changes }, request());
    if ('refused' in answer) throw new Error(answer.refused);
    return answer.view.registration_id;
  };
  const confirm = async (people: People, id: string) =>
    verifyRegistration(people, id, { code: await there.code(id) }, request());
  const registrationOf = async (id: string) => {
    const [recorded] = await there.store.readStream(clientStream(id), 0, 1);
    if (recorded?.event.type !== 'ClientRegistered.v1') throw new Error('it begins with a registration');
    return { recorded, data: recorded.event.data, eventId: recorded.event.id };
  };
  const expire = async (people: People, id: string) =>
    expiries({ people, settings }).work((await registrationOf(id)).recorded, notStopping);
  const remind = async (people: People, id: string, send: (mail: Mail) => Promise<void>) => {
    const mailer = { send, close: async () => undefined };
    return reminders({ people, mailer, settings }).work((await registrationOf(id)).recorded, notStopping);
  };
  return { ...there, time, register, confirm, registrationOf, expire, remind };
}
const request = () => ({ key: randomUUID(), ...from });

test('a registration that nobody confirmed ends, and its personal fields are gone for ever', async () => {
  const { time, process, events, vault, register, registrationOf, expire } = await given();
  const id = await register();
  const { data, eventId } = await registrationOf(id);
  const email = () => unseal(vault, { eventId, field: 'email' }, data.email);
  await time.advance(DAY_MS - 1);
  expect(await expire(process(), id)).toEqual({ againInMs: 1 });
  expect([await events(), await email()]).toEqual([REGISTERED, body.email]);
  await time.advance(1);
  expect(await expire(process(), id)).toBe('done');
  expect([await events(), await email()]).toEqual([[...REGISTERED, EXPIRED], ERASED]);
});

test.for([
  ['before the end is recorded', 0],
  ['between the end and the destruction of the key', 'at destroying'],
] as const)('killed %s, the next process finishes it, once', async ([, dies]) => {
  const { time, process, events, vault, register, expire } = await given();
  const id = await register();
  await time.advance(DAY_MS);
  await expect(expire(process(dies), id)).rejects.toThrow(AppenderClosed);
  expect(await vault.key(id)).toHaveProperty('secret');
  for (let i = 0; i < 2; i++) expect(await expire(process(), id)).toBe('done');
  expect([await events(), await vault.key(id)]).toEqual([[...REGISTERED, EXPIRED], ERASED]);
});

test('a confirmation that comes first keeps its account, be it while the end is being recorded', async () => {
  const { time, process, events, vault, register, confirm, expire } = await given();
  const id = await register();
  await time.advance(DAY_MS - 1);
  await sendPasscodeAgain(process(), id, request());
  // The end is decided by a clock that is ahead of the confirmation's.
  const ahead = process(undefined, () => confirm(process(), id));
  const later = { ...ahead.runtime, nowMs: () => ahead.runtime.nowMs() + PASSCODE_VALID_MS };
  expect(await expire({ ...ahead, runtime: later }, id)).toBe('done');
  expect((await events()).slice(3)).toEqual([...CONFIRMED, 'client ClientVerified.v1']);
  expect(await vault.key(id)).toHaveProperty('secret');
});

test('a confirmation that comes second is refused at each of its steps, and leaves the address free', async () => {
  for (const step of [0, 1, 2]) {
    const { time, process, events, register, confirm, expire } = await given();
    const id = await register();
    const expireLater = async (append: number) => {
      if (append !== step) return;
      const ahead = process();
      const later = { ...ahead.runtime, nowMs: () => ahead.runtime.nowMs() + DAY_MS };
      await expire({ ...ahead, runtime: later }, id);
    };
    expect(await confirm(process(undefined, expireLater), id)).toEqual({ refused: 'REGISTRATION_EXPIRED' });
    expect(await events()).not.toContain('client ClientVerified.v1');
    await time.advance(DAY_MS);
    const next = await register();
    expect(await confirm(process(), next)).toMatchObject({ view: { status: 'verified' } });
  }
});

test.for([0, 1, 2])(
  'a confirmation killed before its step %i and never repeated leaves the address free in the end',
  async (dies) => {
    const { time, process, vault, register, confirm, expire } = await given();
    const id = await register();
    await expect(confirm(process(dies), id)).rejects.toThrow(AppenderClosed);
    await time.advance(DAY_MS);
    expect(await expire(process(), id)).toBe('done');
    expect(await vault.key(id)).toEqual(ERASED);
    const next = await register();
    expect(await confirm(process(), next)).toMatchObject({ view: { status: 'verified' } });
    // And it is hers from now on.
    const third = await register();
    expect(await confirm(process(), third)).toEqual({ refused: 'PASSCODE_WRONG' });
  },
);

test('what is asked of a registration that has ended is answered so, its own repetition included', async () => {
  const { time, process, code, expire } = await given();
  const first = request();
  const registered = await registerClient(process(), body, first);
  if ('refused' in registered) throw new Error(registered.refused);
  const id = registered.view.registration_id;
  const typed = { code: await code(id) };
  await time.advance(DAY_MS);
  await expire(process(), id);
  const over = { refused: 'REGISTRATION_EXPIRED' };
  expect(await registerClient(process(), body, first)).toEqual(over);
  expect(await sendPasscodeAgain(process(), id, request())).toEqual(over);
  expect(await verifyRegistration(process(), id, typed, request())).toEqual(over);
  expect(await registerClient(process(), body, request())).toMatchObject({ replayed: false });
});

test('whoever registered is reminded once, by one process or the next, whether or not the mail server answers', async () => {
  const { time, process, events, register, remind } = await given();
  const id = await register();
  await time.advance(DAY_MS - settings.remindBeforeMs);
  const mails: Mail[] = [];
  // Killed when the server has the mail and before it says so.
  const dies = async (mail: Mail) => {
    mails.push(mail);
    throw new Error('killed');
  };
  expect(await remind(process(), id, dies)).toBe('done');
  expect(await remind(process(), id, async (mail) => void mails.push(mail))).toBe('done');
  expect(mails).toEqual([
    {
      to: body.email,
      subject: 'Your BrokerX registration ends soon',
      text: expect.stringMatching(new RegExp(`2026-01-06T12:00:00.000Z.*${id}`, 's')),
    },
  ]);
  expect(await events()).toEqual([...REGISTERED, 'client RegistrationReminderBegun.v1']);
});

test('a reminder that a mail server certainly does not have is tried again; one that it never takes is not', async () => {
  const { time, process, register, remind } = await given();
  const tried = async (final: boolean, email: string) => {
    const id = await register({ email });
    await time.advance(DAY_MS - settings.remindBeforeMs);
    let tries = 0;
    const reminding = remind(process(), id, async () => {
      tries += 1;
      throw new MailNotTaken('not now', { final, reply: final ? '550' : '451' });
    });
    await time.advance(settings.remindBeforeMs);
    expect(await reminding).toBe('done');
    return tries;
  };
  expect([await tried(false, 'ann@example.com'), await tried(true, 'bob@example.com')]).toEqual([3, 1]);
});

test('nobody is reminded who confirmed, whose day is over, whose address is another’s, or whose mailbox was just told', async () => {
  const { time, process, register, confirm, expire, remind } = await given();
  const owner = await register();
  await confirm(process(), owner);
  const shadow = await register();
  const twins = [
    await register({ email: 'bob@example.com' }),
    await register({ email: 'bob+2@example.com' }),
  ];
  const late = await register({ email: 'cy@example.com' });
  const mails: Mail[] = [];
  const send = async (mail: Mail) => void mails.push(mail);
  await time.advance(DAY_MS - settings.remindBeforeMs);
  for (const id of [owner, shadow, ...twins]) expect(await remind(process(), id, send)).toBe('done');
  expect(mails.map(({ to }) => to)).toEqual(['bob@example.com']);
  await time.advance(settings.remindBeforeMs);
  expect(await remind(process(), late, send)).toBe('done');
  await expire(process(), late);
  expect(await remind(process(), late, send)).toBe('done');
  expect(mails.length).toBe(1);
});
