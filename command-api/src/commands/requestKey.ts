import { hash } from 'node:crypto';
import { isUuid } from '@brokerx/contracts';
import { z } from 'zod';
import { problemOf } from './refusals.ts';

/**
 * Reads the idempotency key of a request and hashes its content. The events say how each key was answered (`idempotencyKeys.ts`).
 */
export type RequestKey = {
  id: string;
  hash: string;
  /** The key is derived from the client's own, for a further commit of the same request. */
  derived?: true;
};

/** The schema of a command's headers. The key is optional here because its absence has a refusal of its own. */
export const IdempotencyHeaders = z
  .looseObject({
    'idempotency-key': z
      .string()
      .max(100)
      .optional()
      .meta({
        format: 'uuid',
        description:
          'A UUID, best version 7, minted once for what you mean to do and sent again with every repetition: the same key and ' +
          'body get the same answer and happen once. The newest 10,000 keys of the last 24 hours are kept. One of version 7 ' +
          'whose answer is not known any more, or that is older than that, is refused (STALE_REQUEST). One of another version is ' +
          'safe as long as it is kept; who has used more in 24 hours may send version 7 alone (IDEMPOTENCY_KEY_VERSION).',
      }),
  })
  .meta({ required: ['idempotency-key'] });

/** 132 bits: no two bodies under one key will ever meet. */
const HASH_CHARACTERS = 22;

/** The key, and the hash of command, subject and body as parsed (spaces and order of fields do not count). */
export function requestKey(
  headers: { 'idempotency-key'?: string | undefined },
  request: { command: string; subject: string; body: unknown },
): RequestKey {
  const id = headers['idempotency-key']?.toLowerCase();
  if (id === undefined || !isUuid(id)) throw problemOf({ code: 'IDEMPOTENCY_KEY_REQUIRED', detail: '' });
  const text = `${request.command}\n${request.subject}\n${JSON.stringify(request.body ?? null)}`;
  return { id, hash: hash('sha256', text, 'base64url').slice(0, HASH_CHARACTERS) };
}
