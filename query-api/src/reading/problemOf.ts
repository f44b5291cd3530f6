import { isTransient } from '@brokerx/infra';
import { refused } from '../http/problems.ts';
import { ReadModelUnavailable } from './readDatabase.ts';

/** A database that is away is a moment's trouble, not a bug. */
export function problemOf(error: unknown): unknown {
  const away = error instanceof ReadModelUnavailable || isTransient(error);
  return away ? refused('UNAVAILABLE', undefined, error) : error;
}
