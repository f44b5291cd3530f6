import type { ClientEvent, ClientFact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { confirm, evolveReservation, freeReservation, type Reservation } from './reservation.ts';

const ANN = '0198c0de-0000-7000-8000-00000000000a';
const BOB = '0198c0de-0000-7000-8000-00000000000b';

const confirmed = (clientId: string): ClientFact => ({ type: 'ReservationConfirmed.v1', data: { clientId } });
/** As registrations wrote them before they left addresses alone. */
const claimed = (clientId: string): ClientFact => ({
  type: 'ReservationClaimed.v1',
  data: { clientId, until: '2026-01-05T13:00:00.000Z' },
});
const released = (clientId: string): ClientFact => ({ type: 'ReservationReleased.v1', data: { clientId } });
const after = (...facts: ClientFact[]): Reservation =>
  facts.reduce((state, fact) => evolveReservation(state, fact as ClientEvent), freeReservation);

// given, who proved that it is his → recorded
test.for([
  ['a free address', freeReservation, ANN, [confirmed(ANN)]],
  ['her own address again', after(confirmed(ANN)), ANN, []],
  ['an address of another', after(confirmed(ANN)), BOB, 'taken'],
  ['an address that she claimed once', after(claimed(ANN)), ANN, [confirmed(ANN)]],
  ['an address that another claimed once', after(claimed(ANN)), BOB, [confirmed(BOB)]],
  ['an address that was given back', after(claimed(ANN), released(ANN)), BOB, [confirmed(BOB)]],
  [
    'an address that changed hands',
    after(claimed(ANN), released(ANN), claimed(BOB), confirmed(BOB)),
    ANN,
    'taken',
  ],
  ['an address of an older client', after(claimed(ANN), confirmed(ANN)), ANN, []],
] as const)('confirming %s', ([, given, clientId, then]) => {
  expect(confirm(given, { clientId, leftBehindBy: null })).toEqual(then);
});

test('an address that an expired registration left behind changes hands; one that changed them since does not', () => {
  const bob = { clientId: BOB, leftBehindBy: ANN };
  expect(confirm(after(confirmed(ANN)), bob)).toEqual([released(ANN), confirmed(BOB)]);
  const CY = '0198c0de-0000-7000-8000-00000000000c';
  expect(confirm(after(confirmed(ANN), released(ANN), confirmed(CY)), bob)).toEqual('taken');
});

test('an event that does not fit is a bug', () => {
  expect(() => after(confirmed(ANN), confirmed(BOB))).toThrow('a confirmed address was confirmed');
  expect(() => after(confirmed(ANN), claimed(BOB))).toThrow('a confirmed address was claimed');
});
