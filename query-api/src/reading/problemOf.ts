import { isTransient } from '@brokerx/infra';
import { refused } from '../http/problems.ts';
import { ReadModelUnavailable } from './readDatabase.ts';

/** Turns the error of a database that is away into a refusal: clients may try again, and it is no bug. */
export function problemOf(error: unknown): unknown {
  const away = error instanceof ReadModelUnavailable || isTransient(error);
  return away ? refused('UNAVAILABLE', undefined, error) : error;
}
