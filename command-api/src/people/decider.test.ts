import { type ClientEvent, type ClientFact, timeOf } from '@brokerx/contracts';
import { clientRegistered } from '@brokerx/contracts/testing/facts.ts';
import { expect, test } from 'vitest';
import { type Client, evolveClient, isRegistered, NETWORKS_MAX, unknownClient } from './client.ts';
import {
  beginMail,
  endSessions,
  MAIL_ATTEMPTS_MAX,
  mailFailed,
  PASSCODE_VALID_MS,
  PASSCODES_MAX,
  register,
  resendPasscode,
  signOut,
  verifyPasscode,
} from './decider.ts';

const NOON = Date.parse('2026-01-05T12:00:00.000Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const registered = clientRegistered();
const registration = registered.data;
const issued = (codeHmac: string, atMs: number): [ClientFact, number] => [
  { type: 'PasscodeIssued.v1', data: { codeHmac, expiresAt: timeOf(atMs + PASSCODE_VALID_MS) } },
  atMs,
];
const failed: ClientFact = { type: 'PasscodeFailed.v1', data: {} };
const verified: ClientFact = { type: 'ClientVerified.v1', data: {} };
const expired: ClientFact = { type: 'RegistrationExpired.v1', data: {} };

/** The client after these facts, each at noon or at the time beside it. */
const after = (...facts: (ClientFact | [ClientFact, number])[]): Client =>
  facts.reduce<Client>((client, given, i) => {
    const [fact, atMs] = Array.isArray(given) ? given : [given, NOON];
    return evolveClient(client, { id: `event-${i}`, time: timeOf(atMs), ...fact } as ClientEvent);
  }, unknownClient);

const pending = after(registered, issued('right', NOON));
const five = [failed, failed, failed, failed, failed];

test('a client registers with a passcode, once', () => {
  const command = { registration, passcode: { codeHmac: 'right', nowMs: NOON } };
  expect(register(unknownClient, command)).toEqual({ facts: [registered, issued('right', NOON)[0]] });
  expect(register(unknownClient, { registration, passcode: null })).toEqual({ facts: [registered] });
  expect(register(pending, command)).toEqual({ facts: [] });
});

test('the right passcode verifies, also as the fifth try and at the last moment', () => {
  expect(verifyPasscode(pending, { codeHmac: 'right', nowMs: NOON })).toEqual({ facts: [verified] });
  const fourWrong = after(registered, issued('right', NOON), ...five.slice(1));
  expect(verifyPasscode(fourWrong, { codeHmac: 'right', nowMs: NOON + PASSCODE_VALID_MS - 1 })).toEqual({
    facts: [verified],
  });
});

// In order of precedence: when two apply, the upper one is the answer.
test.for([
  ['REGISTRATION_NOT_FOUND', 'there is none', unknownClient, 'right', NOON, []],
  [
    'REGISTRATION_EXPIRED',
    'it is over',
    after(registered, issued('right', NOON), expired),
    'right',
    NOON,
    [],
  ],
  ['PASSCODE_WRONG', 'none was sent', after(registered), 'right', NOON, []],
  ['PASSCODE_WRONG', 'it was used', after(registered, issued('right', NOON), verified), 'right', NOON, []],
  [
    'PASSCODE_LOCKED',
    'five were wrong',
    after(registered, issued('right', NOON), ...five),
    'right',
    NOON + HOUR,
    [],
  ],
  ['PASSCODE_WRONG', 'it is too old', pending, 'right', NOON + PASSCODE_VALID_MS, []],
  [
    'PASSCODE_WRONG',
    'it was replaced',
    after(registered, issued('right', NOON), issued('next', NOON)),
    'right',
    NOON,
    [failed],
  ],
  ['PASSCODE_WRONG', 'it is wrong, which counts', pending, 'wrong', NOON, [failed]],
] as const)('a passcode is refused: %s, as %s', ([refused, , client, codeHmac, nowMs, facts]) => {
  expect(verifyPasscode(client, { codeHmac, nowMs })).toEqual({ facts, refused });
});

test('a new passcode has five tries of its own', () => {
  const client = after(registered, issued('right', NOON), ...five, issued('next', NOON + MINUTE));
  expect(verifyPasscode(client, { codeHmac: 'next', nowMs: NOON + MINUTE })).toEqual({ facts: [verified] });
});

const DAY = 24 * HOUR;
const again = (nowMs: number) => ({ codeHmac: 'next', nowMs, openMs: DAY });
const thrice = after(
  registered,
  issued('a', NOON),
  issued('b', NOON + MINUTE),
  issued('c', NOON + 2 * MINUTE),
  issued('d', NOON + 3 * MINUTE),
);
const often = after(
  registered,
  ...Array.from({ length: PASSCODES_MAX }, (_, i) => issued(`${i}`, NOON + i * HOUR)),
);
test.for([
  ['a registration that is not there', unknownClient, NOON, { facts: [], refused: 'REGISTRATION_NOT_FOUND' }],
  ['a verified client: nothing is sent', after(registered, verified), NOON, { facts: [] }],
  ['a pending one', pending, NOON, { facts: [issued('next', NOON)[0]] }],
  [
    'a fourth within an hour',
    thrice,
    NOON + 4 * MINUTE,
    { facts: [], refused: 'PASSCODE_LIMIT', retryAfterMs: 57 * MINUTE },
  ],
  [
    'an hour after the first of three',
    thrice,
    NOON + 61 * MINUTE,
    { facts: [issued('next', NOON + 61 * MINUTE)[0]] },
  ],
  ['one that is over', after(registered, expired), NOON, { facts: [], refused: 'REGISTRATION_EXPIRED' }],
  ['the last of all', often, NOON + 20 * HOUR, { facts: [], refused: 'PASSCODE_LIMIT' }],
] as const)('sending a passcode again: %s', ([, client, nowMs, decision]) => {
  expect(resendPasscode(client, again(nowMs))).toEqual(decision);
});

const signedIn: ClientFact = {
  type: 'SignedIn.v1',
  data: {
    sessionId: '0198c0de-0000-7000-8000-0000000000aa',
    expiresAt: timeOf(NOON + 15 * MINUTE),
    ip: 'sealed',
  },
};
const ended: ClientFact = { type: 'SessionsEnded.v1', data: { until: timeOf(NOON + 15 * MINUTE) } };

test('who signs out ends the session of the token', () => {
  const { sessionId } = signedIn.data as { sessionId: string };
  const session = { sessionId, expiresAtMs: NOON + 15 * MINUTE };
  expect(signOut(after(registered, verified, signedIn), session)).toEqual({
    facts: [{ type: 'SignedOut.v1', data: { sessionId, expiresAt: timeOf(NOON + 15 * MINUTE) } }],
  });
  expect(signOut(unknownClient, session)).toEqual({ facts: [], refused: 'CLIENT_NOT_FOUND' });
});

test.for([
  ['signed in', [signedIn], [ended]],
  ['signed in again after an end', [signedIn, ended, signedIn], [ended]],
  ['never signed in', [], []],
  ['signed in before the last end', [signedIn, ended], []],
] as const)(
  'all sessions of a client who has %s are ended, where there may be any',
  ([, facts, expected]) => {
    const client = after(registered, verified, ...facts);
    expect(endSessions(client, { tokensExpireMs: NOON + 15 * MINUTE })).toEqual({ facts: expected });
  },
);

test('a client who is not there has no sessions to end', () => {
  expect(endSessions(unknownClient, { tokensExpireMs: NOON })).toEqual({
    facts: [],
    refused: 'CLIENT_NOT_FOUND',
  });
});

const passcodeId = 'event-1';
const begun: ClientFact = { type: 'PasscodeMailBegun.v1', data: { passcodeId } };
const notTaken = (final: boolean): ClientFact => ({
  type: 'PasscodeMailFailed.v1',
  data: { passcodeId, final, reply: '451' },
});
const tries = (count: number) => Array.from({ length: count }, () => [begun, notTaken(false)]).flat();
const first = [registered, issued('right', NOON)] as const;

test.for([
  ['a new passcode', after(...first), true],
  ['one that a mail server may have', after(...first, begun), false],
  ['one that it certainly does not have', after(...first, begun, notTaken(false)), true],
  ['one that it never takes', after(...first, begun, notTaken(true)), false],
  ['one that was tried almost too often', after(...first, ...tries(MAIL_ATTEMPTS_MAX - 1)), true],
  ['one that was tried too often', after(...first, ...tries(MAIL_ATTEMPTS_MAX)), false],
  ['one that was used', after(...first, verified), false],
  ['one that was replaced', after(...first, issued('next', NOON)), false],
  ['none', unknownClient, false],
] as const)('%s is mailed: %s', ([, client, isMailed]) => {
  expect(beginMail(client, { passcodeId })).toEqual({ facts: isMailed ? [begun] : [] });
});

test('a failure is recorded for the newest passcode alone', () => {
  const failure = { passcodeId, final: false, reply: '451' };
  expect(mailFailed(after(...first, begun), failure)).toEqual({ facts: [notTaken(false)] });
  expect(mailFailed(after(...first, begun, issued('next', NOON)), failure)).toEqual({ facts: [] });
  // The failure of an older passcode's mail does not change the newer passcode.
  const replaced = after(...first, begun, issued('next', NOON), notTaken(true));
  expect(beginMail(replaced, { passcodeId: 'event-3' }).facts.length).toBe(1);
});

test('a registration is open for a day', () => {
  expect(resendPasscode(pending, again(NOON + DAY - 1)).refused).toBeUndefined();
  expect(resendPasscode(pending, again(NOON + DAY))).toEqual({ facts: [], refused: 'REGISTRATION_EXPIRED' });
});

test('a client is at home at the places where he signed in last, each of which counts once', () => {
  const from = (network: string): ClientFact => ({
    type: 'SignedIn.v1',
    data: { sessionId: 's', expiresAt: timeOf(NOON), ip: 'sealed', network },
  });
  const places = Array.from({ length: NETWORKS_MAX }, (_, i) => from(`${i}`));
  const networks = (...facts: ClientFact[]) => {
    const client = after(registered, verified, ...facts);
    return isRegistered(client) ? client.networks : [];
  };
  expect(networks(...places, from('0'), from('home'))).toEqual([
    ...places.slice(2).map((_, i) => `${i + 2}`),
    '0',
    'home',
  ]);
  // A sign-in recorded before networks were.
  const { network: _, ...data } = (from('x') as { data: { network?: string } }).data;
  expect(networks({ type: 'SignedIn.v1', data } as ClientFact)).toEqual([]);
});
