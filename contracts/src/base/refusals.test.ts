import { expect, test } from 'vitest';
import { REFUSALS, RETRYABLE } from './refusals.ts';

test('every code says whether a repetition can succeed, in the order of the codes', () => {
  expect(Object.keys(RETRYABLE)).toEqual(Object.keys(REFUSALS));
});

test('a repetition can succeed where the moment alone is against it, and nowhere else', () => {
  const retryable = Object.entries(RETRYABLE).flatMap(([code, can]) => (can ? [code] : []));
  expect(retryable.toSorted()).toEqual(
    [
      'OVERLOADED',
      'ORDER_RATE',
      'PASSCODE_LIMIT',
      'READ_MODEL_BEHIND',
      'REFUSAL_RATE',
      'REQUEST_IN_FLIGHT',
      'REQUEST_LIMIT',
      'SIGN_IN_LIMIT',
      'TOO_MANY_STREAMS',
      'UNAVAILABLE',
    ].toSorted(),
  );
});
