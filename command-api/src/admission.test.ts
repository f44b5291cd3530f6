import { expect, test } from 'vitest';
import {
  admissionControl,
  BYTES_IN_FLIGHT_MAX,
  CANCELS_EXTRA_MAX,
  REQUESTS_IN_FLIGHT_MAX,
  UNANSWERED_ORDERS_MAX,
  UNANSWERED_ORDERS_PER_SYMBOL_MAX,
} from './admission.ts';

const order = { bytes: 100, cancels: false };
const cancel = { bytes: 0, cancels: true };

test('beyond the bound orders are refused while cancels still enter, up to a bound of their own', () => {
  const admission = admissionControl();
  for (let i = 0; i < REQUESTS_IN_FLIGHT_MAX; i++) expect(admission.enter(order)).toBe(true);
  expect(admission.enter(order)).toBe(false);
  for (let i = 0; i < CANCELS_EXTRA_MAX; i++) expect(admission.enter(cancel)).toBe(true);
  expect(admission.enter(cancel)).toBe(false);
  for (let i = 0; i <= CANCELS_EXTRA_MAX; i++) admission.leave(0);
  expect(admission.enter(order)).toBe(true);
});

test('few but large bodies are bounded too', () => {
  const admission = admissionControl();
  expect(admission.enter({ bytes: BYTES_IN_FLIGHT_MAX, cancels: false })).toBe(true);
  expect(admission.enter(order)).toBe(false);
  expect(admission.enter(cancel)).toBe(true);
  admission.leave(BYTES_IN_FLIGHT_MAX);
  expect(admission.enter(order)).toBe(true);
});

test('an engine that does not answer stops its symbol first, and all of them in the end', () => {
  const admission = admissionControl();
  for (let i = 0; i < UNANSWERED_ORDERS_PER_SYMBOL_MAX; i++) admission.placed(`a${i}`, 'ACME');
  expect([admission.admitsOrder('ACME'), admission.admitsOrder('BETA')]).toEqual([false, true]);
  admission.answered('a0');
  admission.answered('a0');
  admission.answered('of another process');
  expect(admission.admitsOrder('ACME')).toBe(true);
  for (let i = UNANSWERED_ORDERS_PER_SYMBOL_MAX; i <= UNANSWERED_ORDERS_MAX; i++)
    admission.placed(`b${i}`, 'BETA');
  expect([admission.admitsOrder('ACME'), admission.admitsOrder('GAMMA')]).toEqual([false, false]);
});

test('an order whose answer is read before the reply of its append is not counted for ever', () => {
  const admission = admissionControl();
  admission.answered('early');
  admission.placed('early', 'ACME');
  expect(admission.stats().unanswered).toBe(0);
  for (let i = 0; i < 5_000; i++) admission.answered(`of another process ${i}`);
  admission.placed('own', 'ACME');
  expect(admission.stats().unanswered).toBe(1);
});
