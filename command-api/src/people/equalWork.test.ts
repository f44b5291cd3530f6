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
 * Nobody learns from a reply, from positions, or from the work done whether an address is known: a request for a known
 * address and one for a new address make the same calls to everything outside the process.
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
  /** Records each call with its arguments, except ids and hashes, which differ from client to client. */
  const recording = <T extends object>(name: string, target: T): T =>
    new Proxy(target, {
      get(object, property) {
        const value = Reflect.get(object, property);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          calls.push(`${name}.${String(property)}(${args.map(textOf).join(', ')})`);
          return value.apply(object, args);
        };
      },
    });
  const store: EventStore<Event> = memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const appender: Appender<Event> = groupCommit(store);
  const vault: Vault = memoryVault();
  const tallies: Tallies = memoryTallies(realRuntime);
  const recordedTallies: Tallies = {
    ...tallies,
    tally: (name, window) => recording(`tally ${name}`, tallies.tally(name, window)),
  };
  const hashes = lookups(randomBytes(32));
  const passwords: Passwords = argon2Passwords(realRuntime);
  const shared = { runtime: realRuntime, log: quiet };
  const deps = people({
    ...shared,
    store: recording('store', store),
    appender: recording('appender', appender),
    accounts: accountsInMemory({
      ...shared,
      store,
      appender,
      snapshots: memorySnapshots({ store }),
    }),
    vault: recording('vault', vault),
    lookups: hashes,
    passwords: recording('passwords', passwords),
    mailLimits: mailLimits(recordedTallies, { perMailboxMax: 9, perNetworkMax: 99, inAllMax: 99 }, hashes),
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
  const signIns = failedSignIns(recordedTallies, limits, realRuntime);

  const mails: Mail[] = [];
  const mailer = { send: async (mail: Mail) => void mails.push(mail), close: async () => undefined };
  const list = passcodeMail({ people: deps, mailer: recording('mailer', mailer) });
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
  const code = async (id: string) => hashes.passcode(id, (await issuedTo(id))?.event.id ?? '');
  const request = () => ({ key: randomUUID(), traceparent, ip: '192.0.2.7', isGone: () => false });
  const register = async (email: string) => {
    const answer = await registerClient(deps, { ...body, email }, request());
    if ('refused' in answer) throw new Error(answer.refused);
    return answer;
  };
  return { deps, tokens, signIns, calls, store, mails, request, register, mailPasscode, code };
}

const textOf = (value: unknown): string => {
  if (typeof value === 'string')
    return value.replace(/-.*/s, '').replace(/^(?:[0-9a-f]{8,64}|\$argon2.*|[\d.]+ .*)$/, 'one');
  if (typeof value === 'function') return 'function';
  if (value === null) return 'one';
  if (typeof value !== 'object') return typeof value;
  const { stream, events = [] } = value as { stream?: string; events?: Event[] };
  return `${stream?.replace(/-.*/s, '')}: ${events.map(({ type }) => type).join(', ')}`;
};

describe('the same for a known address as for a new one', () => {
  let given: Awaited<ReturnType<typeof installation>>;
  beforeEach(async () => {
    given = await installation();
    const { view } = await given.register(KNOWN);
    const typed = { code: await given.code(view.registration_id) };
    const verified = await verifyRegistration(given.deps, view.registration_id, typed, given.request());
    expect(verified).toMatchObject({ view: { status: 'verified' } });
    // The first password of an unknown address makes the dummy hash, so it is made here.
    await given.deps.passwords.verify(null, 'anything');
  });

  /** The calls that the work makes, the number of events that it appends, and its answer. */
  const traceOf = async (work: () => Promise<object>) => {
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
    const known = await traceOf(() => work(KNOWN));
    const fresh = await traceOf(() => work(NEW));
    expect(known).toEqual(fresh);
    return known;
  };

  test('a registration', async () => {
    const { events, answer } = await both((email) => given.register(email));
    expect([events, answer.position]).toEqual([2, 2]);
  });

  test('a mail, another passcode, and guesses at it', async () => {
    const ids = new Map<string, string>();
    for (const email of [KNOWN, NEW]) ids.set(email, (await given.register(email)).view.registration_id);
    const idOf = (email: string) => ids.get(email) ?? '';
    await both(async (email) => ({ done: await given.mailPasscode(idOf(email)) }));
    expect(given.mails.map(({ subject }) => /^\d{6} /.test(subject))).toEqual([false, true]);
    await both((email) => sendPasscodeAgain(given.deps, idOf(email), given.request()));
    await both(async (email) => ({ done: await given.mailPasscode(idOf(email)) }));
    expect(given.mails.length).toBe(4);
    const guess = async (email: string) => {
      const wrong = String((Number(await given.code(idOf(email))) + 1) % 1_000_000).padStart(6, '0');
      return verifyRegistration(given.deps, idOf(email), { code: wrong }, given.request());
    };
    for (let i = 0; i < 6; i++) await both(guess);
  });

  test.for(['wrong but plain', 'wrong and ﬁnely typed'])(
    'signing in with a password that is %s',
    async (password) => {
      const attempt = (email: string) => {
        const origin = { ip: '192.0.2.8', isGone: () => false, traceparent };
        return signIn(given.deps, given, { email, password }, origin);
      };
      // At each attempt the account and the network have the same history of failures.
      const { events, answer, calls } = await both(attempt);
      expect([events, answer]).toEqual([1, { refused: 'WRONG_CREDENTIALS' }]);
      const verifications = calls.filter((call) => call.startsWith('passwords.verify'));
      expect(verifications.length).toBe(password.includes('ﬁ') ? 2 : 1);
      await both(attempt);
    },
  );

  test('a sign-in that is refused beyond the limits', async () => {
    for (let i = 0; i < 6; i++)
      await given.signIns.failed({
        ip: '192.0.2.8',
        address: `${i}`,
        isAtHome: false,
        password: 'wrong',
        hash: null,
      });
    const { events, answer, calls } = await both((email) =>
      signIn(
        given.deps,
        given,
        { email, password: body.password },
        { ip: '192.0.2.8', isGone: () => false, traceparent },
      ),
    );
    expect([events, answer]).toEqual([0, { refused: 'SIGN_IN_LIMIT', retryAfterMs: 'a while' }]);
    expect(calls.some((call) => call.startsWith('passwords'))).toBe(false);
  });
});
