import { CashTransfer, domains, isUuid, NewPassword, ShareTransfer } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import type { Mode } from '@brokerx/infra/runtime/mode.ts';
import { z } from 'zod';
import { problemOf } from '../../commands/refusals.ts';
import { IdempotencyHeaders } from '../../commands/requestKey.ts';
import type { Markets } from '../../market/markets.ts';
import type { People } from '../people.ts';
import { createPeople } from './createPeople.ts';

/**
 * `/dev/people`: people in bulk. Like the development inbox it exists in development alone: in production there is no such
 * route, and no gateway passes it on.
 */
export function developmentPeopleRoutes(
  app: Http,
  { mode, people, markets }: { mode: Mode; people: People; markets: Pick<Markets, 'get' | 'find'> },
): void {
  if (mode !== 'development') return;
  app.post(
    '/dev/people',
    {
      config: { auth: ['operator'] },
      schema: {
        tags: ['Development'],
        summary: 'Make verified, funded people',
        description:
          'For tests and loads. Exists only where `BROKERX_MODE` is `development`. Their verification names the operator and ' +
          'the reason. The same key makes the same people: a repetition finishes what is missing.',
        headers: IdempotencyHeaders,
        body: CreatePeople,
        response: { 201: z.object({ items: z.array(CreatedPersonView) }) },
      },
    },
    async ({ headers, body, actor, traceparent }, reply) => {
      const key = headers['idempotency-key']?.toLowerCase() ?? '';
      if (!isUuid(key)) throw problemOf({ code: 'IDEMPOTENCY_KEY_REQUIRED', detail: '' });
      for (const { symbol } of body.shares) {
        if (!markets.get(symbol)) await markets.find(symbol);
        if (!markets.get(symbol)) throw problemOf({ code: 'UNKNOWN_SYMBOL', detail: `symbol ${symbol}` });
      }
      const by = { operator: actor.clientId, key, traceparent };
      reply.code(201);
      return { items: await createPeople(people, body, by) };
    },
  );
}

const PEOPLE_MAX = 100;
const SYMBOLS_MAX = 100;

const CreatePeople = z.strictObject({
  count: z.int().min(1).max(PEOPLE_MAX),
  label: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,19}$/)
    .describe('Their e-mail addresses and names begin with it.'),
  password: NewPassword.describe('The same for all of them.'),
  amount: CashTransfer.shape.amount.optional().describe('Cash of each.'),
  shares: z
    .array(ShareTransfer)
    .max(SYMBOLS_MAX)
    .refine(
      (shares) => new Set(shares.map(({ symbol }) => symbol)).size === shares.length,
      'each symbol once',
    )
    .default([])
    .describe('Shares of each.'),
  exempt: z.boolean().default(false).describe('Price bands and quotas are off for them.'),
  reason: domains.text(100).min(1).describe('Why they are made.'),
});
const CreatedPersonView = z.object({ email: z.string(), client_id: z.string(), account_id: z.string() });
