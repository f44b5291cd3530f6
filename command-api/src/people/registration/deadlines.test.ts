import { type ClientEvent, type ClientFact, timeOf } from '@brokerx/contracts';
import { clientRegistered } from '@brokerx/contracts/testing/facts.ts';
import { expect, test } from 'vitest';
import { type Client, evolveClient, unknownClient } from '../client.ts';
import { beginReminder, expire } from './deadlines.ts';

/** What becomes of a registration that nobody confirms: given, at that time → recorded. */
const NOON = Date.parse('2026-01-05T12:00:00.000Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const registered = clientRegistered();
const operator = clientRegistered({ phoneHmac: '' });
const passcodeAt = (atMs: number): ClientFact => ({
  type: 'PasscodeIssued.v1',
  data: { codeHmac: 'c', expiresAt: timeOf(atMs + 10 * MINUTE) },
});
const verified: ClientFact = { type: 'ClientVerified.v1', data: {} };
const reminded: ClientFact = { type: 'RegistrationReminderBegun.v1', data: {} };
const expired: ClientFact = { type: 'RegistrationExpired.v1', data: {} };

const after = (...facts: ClientFact[]): Client =>
  facts.reduce<Client>(
    (client, fact, i) =>
      evolveClient(client, { id: `event-${i}`, time: timeOf(NOON), ...fact } as ClientEvent),
    unknownClient,
  );
const pending = after(registered, passcodeAt(NOON));
const late = after(registered, passcodeAt(NOON), passcodeAt(NOON + DAY - MINUTE));

test.for([
  ['nobody confirmed in a day', pending, DAY, [expired]],
  ['there is a moment left', pending, DAY - 1, []],
  ['a passcode of the last minute can still be presented', late, DAY + 9 * MINUTE - 1, []],
  ['that passcode is too old, too', late, DAY + 9 * MINUTE, [expired]],
  ['who was reminded', after(registered, passcodeAt(NOON), reminded), DAY, [expired]],
  ['who confirmed', after(registered, passcodeAt(NOON), verified), DAY, []],
  ['it has ended already', after(registered, passcodeAt(NOON), expired), DAY, []],
  ['nobody registered', unknownClient, DAY, []],
  ['the operator of the configuration, whom the next start verifies', after(operator), DAY, []],
] as const)('a registration ends: %s', ([, client, afterMs, facts]) => {
  expect(expire(client, { nowMs: NOON + afterMs, openMs: DAY })).toEqual({ facts });
});

test.for([
  ['an hour before the end', pending, 23 * HOUR, [reminded]],
  ['not twice', after(registered, passcodeAt(NOON), reminded), 23 * HOUR, []],
  ['not when it is over', pending, DAY, []],
  ['not who confirmed', after(registered, passcodeAt(NOON), verified), 23 * HOUR, []],
  ['not when it has ended', after(registered, expired), 23 * HOUR, []],
  ['not the operator of the configuration', after(operator), 23 * HOUR, []],
] as const)('whoever registered is reminded: %s', ([, client, afterMs, facts]) => {
  expect(beginReminder(client, { nowMs: NOON + afterMs, openMs: DAY })).toEqual({ facts });
});

test('nothing but a failed sign-in follows an end, and no verified client ends', () => {
  const failed: ClientFact = { type: 'SignInFailed.v1', data: { ip: 'sealed' } };
  expect(after(registered, expired, failed)).toEqual({ status: 'expired' });
  expect(() => after(registered, expired, verified)).toThrow('a registration that has expired');
  expect(() => after(registered, verified, expired)).toThrow('a verified client expired');
});
