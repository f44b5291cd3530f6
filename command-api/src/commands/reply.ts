import { type AccountFact, formatPosition, type MarketEvent, RETRYABLE } from '@brokerx/contracts';
import type { Problem } from '@brokerx/infra';
import type { FastifyReply } from 'fastify';
import type { Refusal } from '../refusal.ts';
import type { Answer } from './commands.ts';
import { HTTP_STATUS, problemOf } from './refusals.ts';

/** Headers of every 202, for the reference. */
export const COMMAND_REPLY_HEADERS = {
  'X-BrokerX-Position':
    'The position of what was recorded. Give it to a query as `min_position` to read what you wrote.',
  Location: 'Where what was made or changed can be read, on the API of queries.',
  'Idempotent-Replayed': '`true`: this key was answered before, and this is that answer.',
} as const;

/** Replies to an accepted command: 202 with Location and position. Throws a refusal as a problem. */
export function accepted<F extends AccountFact | MarketEvent>(
  reply: FastifyReply,
  answer: Answer<F>,
  given: { storeId: string; location: (fact: F) => string },
): { fact: F; time: string } {
  const { fact, time, headers } = recorded(answer, given.storeId);
  reply.code(202).headers(headers).header('location', given.location(fact));
  return { fact, time };
}

/**
 * Reads the recorded fact from an answer, and makes the headers of its reply. Throws a refusal as a problem: a recorded
 * refusal with its position, and a refused order with its location too.
 */
export function recorded<F extends AccountFact | MarketEvent>(
  answer: Answer<F>,
  storeId: string,
): { fact: F; time: string; headers: Record<string, string> } {
  if ('refusal' in answer) throw problemOf(answer.refusal);
  const { fact, time, position, replayed } = answer;
  const headers = {
    'x-brokerx-position': formatPosition({ storeId, position }),
    ...(replayed ? { 'idempotent-replayed': 'true' } : {}),
  };
  if (fact.type === 'OrderRefused.v1') {
    throw recordedProblem(fact.data, { ...headers, location: orderLocation(fact.data.orderId) });
  }
  if (fact.type === 'CommandRefused.v1') throw recordedProblem(fact.data, headers);
  return { fact, time, headers };
}

/** A recorded refusal is final. Earlier versions recorded codes that today are refusals of the moment, hence the 422. */
function recordedProblem({ code, detail }: Refusal, headers: Readonly<Record<string, string>>): Problem {
  const status = RETRYABLE[code] ? 422 : HTTP_STATUS[code];
  return problemOf({ code, detail }, { headers, status, retryable: false });
}

export const orderLocation = (orderId: string): string => `/v1/orders/${orderId}`;
