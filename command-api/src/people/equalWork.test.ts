import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { clientStream, type Event, eventCodec, timeOf } from '@brokerx/contracts';
import {
  type Appender,
  type EventStore,
  groupCommit,
  memoryEventStore,
  memorySnapshots,
  memoryTallies,
  memoryVault,
  realRuntime,
  type Tallies,
  type Vault,
} from '@brokerx/infra';
import { beforeEach, describe, expect, test } from 'vitest';
import { quiet } from '../../test/world.ts';
import { accountsInMemory } from '../account/accounts.ts';
import type { Mail } from '../mail/mail.ts';
import { lookups } from './lookups.ts';
import { people } from './people.ts';
import { mailLimits } from './registration/mailLimits.ts';
import { passcodeMail } from './registration/passcodeMail.ts';
import { registerClient, sendPasscodeAgain, verifyRegistration } from './registration/registration.ts';
import { failedSignIns } from './signIn/failedSignIns.ts';
import { argon2Passwords, type Passwords } from './signIn/passwords.ts';
import { signIn } from './signIn/sessions.ts';
import { tokenIssuer } from './signIn/tokens.ts';

/**
 * Nobody learns from a reply, from positions, or from the work that was done, whether an address is known: whatever is
 * asked for a known one and for one that nobody has makes the same calls of everything outside the process.
 */
const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
const body = {
  name: 'Ann Example',
  address: '1 Example Street',
  birth_date: '1990-04-01',
  phone: '+15145550123',
  password: 'walnut ferry copper lantern',
};
const KNOWN = 'known@example.com';
const NEW = 'fresh@example.com';

async function installation() {
  const calls: string[] = [];
  /** Each call with what it is about, but for whose: ids and hashes are everybody's own. */
  const recording = <T extends object>(name: string, target: T): T =>
    new Proxy(target, {
      get(of, property) {
        const value = Reflect.get(of, property);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) => {
          calls.push(`${name}.${String(property)}(${given.map(about).join(', ')})`);
          return value.apply(of, given);
        };
      },
    });
  const store: EventStore<Event> = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const appender: Appender<Event> = groupCommit(store);
  const vault: Vault = memoryVault();
  const tallies: Tallies = memoryTallies(realRuntime);
  const counted: Tallies = {
    ...tallies,
    tally: (name, given) => recording(`tally ${name}`, tallies.tally(name, given)),
  };
  const found = lookups(randomBytes(32));
  const passwords: Passwords = argon2Passwords(realRuntime);
  const ports = { runtime: realRuntime, log: quiet };
  const who = people({
    ...ports,
    store: recording('store', store),
    appender: recording('appender', appender),
    accounts: accountsInMemory({
      ...ports,
      store,
      appender,
      snapshots: memorySnapshots({ store }),
    }),
    vault: recording('vault', vault),
    lookups: found,
    passwords: recording('passwords', passwords),
    mailLimits: mailLimits(counted, { perMailboxMax: 9, perNetworkMax: 99, inAllMax: 99 }, found),
    openMs: 86_400_000,
  });
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const tokens = await tokenIssuer({ privateJwk: jwk, issuer: 'test', runtime: realRuntime });
  const limits = {
    perNetworkMax: 5,
    networkWindowMs: 600_000,
    perAccountMax: 20,
    accountWindowMs: 3_600_000,
  };
  const failed = failedSignIns(counted, limits, realRuntime);

  const mails: Mail[] = [];
  const mailer = { send: async (mail: Mail) => void mails.push(mail), close: async () => undefined };
  const list = passcodeMail({ people: who, mailer: recording('mailer', mailer) });
  const issuedTo = async (id: string) =>
    (await store.readStream(clientStream(id), 0, 100)).findLast(
      ({ event }) => event.type === 'PasscodeIssued.v1',
    );
  /** What the mail process does when it hears of the newest passcode of the registration. */
  const mailPasscode = async (clientId: string) => {
    const issued = await issuedTo(clientId);
    const expiresAt = timeOf(Date.now() + 60_000);
    return list.work({ id: issued?.event.id ?? '', clientId, expiresAt, traceparent }, 1);
  };
  const code = async (id: string) => found.passcode(id, (await issuedTo(id))?.event.id ?? '');
  const request = () => ({ key: randomUUID(), traceparent, ip: '192.0.2.7', isGone: () => false });
  const register = async (email: string) => {
    const answer = await registerClient(who, { ...body, email }, request());
    if ('refused' in answer) throw new Error(answer.refused);
    return answer;
  };
  return { who, tokens, failed, calls, store, mails, request, register, mailPasscode, code };
}

const about = (given: unknown): string => {
  if (typeof given === 'string')
    return given.replace(/-.*/s, '').replace(/^(?:[0-9a-f]{8,64}|\$argon2.*|[\d.]+ .*)$/, 'one');
  if (typeof given === 'function') return 'function';
  if (given === null) return 'one';
  if (typeof given !== 'object') return typeof given;
  const { stream, events = [] } = given as { stream?: string; events?: Event[] };
  return `${stream?.replace(/-.*/s, '')}: ${events.map(({ type }) => type).join(', ')}`;
};

describe('known or not, the same', () => {
  let given: Awaited<ReturnType<typeof installation>>;
  beforeEach(async () => {
    given = await installation();
    const { view } = await given.register(KNOWN);
    const typed = { code: await given.code(view.registration_id) };
    const verified = await verifyRegistration(given.who, view.registration_id, typed, given.request());
    expect(verified).toMatchObject({ view: { status: 'verified' } });
    // The first password that belongs to nobody makes the hash that it is compared with.
    await given.who.passwords.verify(null, 'anything');
  });

  /** The calls that the work makes, how many events it leaves behind, and what it answers. */
  const seen = async (work: () => Promise<object>) => {
    given.calls.length = 0;
    const before = await given.store.head();
    const answer = await work();
    const shown = JSON.stringify(answer, (name, value) =>
      name.endsWith('id')
        ? 'an id'
        : name === 'position'
          ? value - before
          : name === 'retryAfterMs'
            ? 'a while'
            : value,
    );
    return {
      calls: [...given.calls],
      events: (await given.store.head()) - before,
      answer: JSON.parse(shown),
    };
  };
  const both = async (work: (email: string) => Promise<object>) => {
    const known = await seen(() => work(KNOWN));
    const fresh = await seen(() => work(NEW));
    expect(known).toEqual(fresh);
    return known;
  };

  test('registering', async () => {
    const { events, answer } = await both((email) => given.register(email));
    expect([events, answer.position]).toEqual([2, 2]);
  });

  test('what is mailed, asked for again, and guessed', async () => {
    const ids = new Map<string, string>();
    for (const email of [KNOWN, NEW]) ids.set(email, (await given.register(email)).view.registration_id);
    const idOf = (email: string) => ids.get(email) ?? '';
    await both(async (email) => ({ done: await given.mailPasscode(idOf(email)) }));
    expect(given.mails.map(({ subject }) => /^\d{6} /.test(subject))).toEqual([false, true]);
    await both((email) => sendPasscodeAgain(given.who, idOf(email), given.request()));
    await both(async (email) => ({ done: await given.mailPasscode(idOf(email)) }));
    expect(given.mails.length).toBe(4);
    const guess = async (email: string) => {
      const wrong = String((Number(await given.code(idOf(email))) + 1) % 1_000_000).padStart(6, '0');
      return verifyRegistration(given.who, idOf(email), { code: wrong }, given.request());
    };
    for (let i = 0; i < 6; i++) await both(guess);
  });

  test.for(['wrong but plain', 'wrong and ﬁnely typed'])(
    'signing in with a password that is %s',
    async (password) => {
      const attempt = (email: string) => {
        const from = { ip: '192.0.2.8', isGone: () => false, traceparent };
        return signIn(given.who, given, { email, password }, from);
      };
      // Each account and each network has the same past when it is tried.
      const { events, answer, calls } = await both(attempt);
      expect([events, answer]).toEqual([1, { refused: 'WRONG_CREDENTIALS' }]);
      const hashes = calls.filter((call) => call.startsWith('passwords.verify'));
      expect(hashes.length).toBe(password.includes('ﬁ') ? 2 : 1);
      await both(attempt);
    },
  );

  test('a sign-in that is refused beyond the limits', async () => {
    for (let i = 0; i < 6; i++)
      await given.failed.failed({
        ip: '192.0.2.8',
        address: `${i}`,
        isAtHome: false,
        password: 'wrong',
        hash: null,
      });
    const { events, answer, calls } = await both((email) =>
      signIn(
        given.who,
        given,
        { email, password: body.password },
        { ip: '192.0.2.8', isGone: () => false, traceparent },
      ),
    );
    expect([events, answer]).toEqual([0, { refused: 'SIGN_IN_LIMIT', retryAfterMs: 'a while' }]);
    expect(calls.some((call) => call.startsWith('passwords'))).toBe(false);
  });
});
