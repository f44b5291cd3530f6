import type { ClientEvent, ClientFact } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import {
  claim,
  confirm,
  evolveReservation,
  freeReservation,
  holderOf,
  type Reservation,
  release,
} from './reservation.ts';

const ANN = '0198c0de-0000-7000-8000-00000000000a';
const BOB = '0198c0de-0000-7000-8000-00000000000b';
const NOON = Date.parse('2026-01-05T12:00:00.000Z');
const ONE = Date.parse('2026-01-05T13:00:00.000Z');
const TWO = Date.parse('2026-01-05T14:00:00.000Z');

const claimed = (clientId: string, until: string): ClientFact => ({
  type: 'ReservationClaimed.v1',
  data: { clientId, until },
});
const confirmed = (clientId: string): ClientFact => ({ type: 'ReservationConfirmed.v1', data: { clientId } });
const released = (clientId: string): ClientFact => ({ type: 'ReservationReleased.v1', data: { clientId } });
const after = (...facts: ClientFact[]): Reservation =>
  facts.reduce((state, fact) => evolveReservation(state, fact as ClientEvent), freeReservation);

const annTillOne = after(claimed(ANN, '2026-01-05T13:00:00.000Z'));
const annForGood = after(claimed(ANN, '2026-01-05T13:00:00.000Z'), confirmed(ANN));

// given, who claims, at, until → recorded
test.for([
  ['a free address', freeReservation, ANN, NOON, ONE, [claimed(ANN, '2026-01-05T13:00:00.000Z')]],
  [
    'an address given back',
    after(claimed(ANN, '2026-01-05T13:00:00.000Z'), released(ANN)),
    BOB,
    NOON,
    ONE,
    [claimed(BOB, '2026-01-05T13:00:00.000Z')],
  ],
  ['her own claim, longer', annTillOne, ANN, NOON, TWO, [claimed(ANN, '2026-01-05T14:00:00.000Z')]],
  ['her own claim, no longer', annTillOne, ANN, NOON, ONE, []],
  ['her own address', annForGood, ANN, NOON, TWO, []],
  ['a running claim of another', annTillOne, BOB, ONE - 1, TWO, 'taken'],
  [
    'a claim of another that ran out',
    annTillOne,
    BOB,
    ONE,
    TWO,
    [released(ANN), claimed(BOB, '2026-01-05T14:00:00.000Z')],
  ],
  ['an address of another', annForGood, BOB, TWO, TWO, 'taken'],
] as const)('claiming %s', ([, given, clientId, nowMs, untilMs, then]) => {
  expect(claim(given, { clientId, nowMs, untilMs })).toEqual(then);
});

test.for([
  ['her own claim', annTillOne, ANN, NOON, [confirmed(ANN)]],
  [
    'her own claim that ran out and nobody took',
    annTillOne,
    ANN,
    TWO,
    [claimed(ANN, '2026-01-05T14:00:00.000Z'), confirmed(ANN)],
  ],
  ['her own address again', annForGood, ANN, NOON, []],
  ['a claim that she lost', after(claimed(BOB, '2026-01-05T14:00:00.000Z')), ANN, ONE, 'taken'],
  ['an address of another', annForGood, BOB, NOON, 'taken'],
] as const)('confirming %s', ([, given, clientId, nowMs, then]) => {
  expect(confirm(given, { clientId, nowMs })).toEqual(then);
});

test.for([
  ['her own claim', annTillOne, ANN, [released(ANN)]],
  ["another's claim", annTillOne, BOB, []],
  ['nothing', freeReservation, ANN, []],
] as const)('releasing %s', ([, given, clientId, then]) => {
  expect(release(given, { clientId })).toEqual(then);
});

test.for([
  [freeReservation, NOON, null],
  [annTillOne, NOON, ANN],
  [annTillOne, ONE, null],
  [annForGood, TWO, ANN],
] as const)('who holds an address', ([given, nowMs, holder]) => {
  expect(holderOf(given, nowMs)).toBe(holder);
});

test('an event that does not fit is a bug', () => {
  expect(() => after(confirmed(ANN))).toThrow('a free address was confirmed');
  expect(() =>
    evolveReservation(annForGood, claimed(BOB, '2026-01-05T14:00:00.000Z') as ClientEvent),
  ).toThrow('a confirmed address was claimed');
});
