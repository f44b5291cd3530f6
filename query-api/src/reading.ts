import { formatPosition, type PositionToken, parsePosition } from '@brokerx/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Freshness } from './freshness.ts';
import { invalidParameter, refused } from './problems.ts';

/** The header that tells which position a reply reflects, and asks for one (as `min_position` does). */
export const POSITION_HEADER = 'x-brokerx-position';

/** For the reference: what every reply says, and what may be asked for. */
export const POSITION_REPLY_HEADERS = {
  'X-BrokerX-Position': 'The position of the event store that this reply reflects.',
} as const;
export const PositionHeaders = z.looseObject({
  [POSITION_HEADER]: z.string().optional().describe('The same as `min_position`, which comes first.'),
});

export type Reading = {
  /**
   * A route's `preHandler`: waits until these projections have what the client asks for, and says in the reply what
   * they have. Runs before the route reads, so the reply reflects at least that.
   */
  of(...projections: string[]): (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
  /** Puts the position of what was read into the reply; refuses when it is below what was asked for. */
  reflects(request: FastifyRequest, reply: FastifyReply, position: number): void;
  /** Says in the reply which position is reflected. */
  tell(reply: FastifyReply, position: number): void;
};

export function reading({ store, freshness }: { store: { id: string }; freshness: Freshness }): Reading {
  const tell = (reply: FastifyReply, position: number) =>
    reply.header(POSITION_HEADER, formatPosition({ storeId: store.id, position }));
  return {
    tell,
    of:
      (...projections) =>
      async (request, reply) => {
        const reached = await freshness.reach(projections, positionAsked(request));
        if ('refused' in reached) throw refused(reached.refused, reached.detail);
        tell(reply, reached.position);
      },
    reflects(request, reply, position) {
      const min = positionAsked(request)?.position ?? 0;
      tell(reply, position);
      if (position < min) {
        throw refused('READ_MODEL_BEHIND', `asked for ${min}, what is read stands at ${position}`);
      }
    },
  };
}

/** The parameter comes before the header; the parameter's form was checked with the route's schema. */
export function positionAsked(request: FastifyRequest): PositionToken | undefined {
  const { min_position: parameter } = request.query as { min_position?: string };
  const header = request.headers[POSITION_HEADER];
  const text = parameter ?? (typeof header === 'string' ? header : undefined);
  if (text === undefined) return undefined;
  const token = parsePosition(text);
  if (!token)
    throw invalidParameter('#/headers/x-brokerx-position', 'a position token: <store id>:<position>');
  return token;
}
