import { formatPosition, type PositionToken, parsePosition } from '@brokerx/contracts';
import { pastOf } from '@brokerx/infra';
import type { Actor } from '@brokerx/infra/auth/tokenVerifier.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { QueryConfig, QueryResultRow } from 'pg';
import { z } from 'zod';
import type { Page } from '../http/paging.ts';
import { invalidParameter, refused } from '../http/problems.ts';
import type { EventReader } from './eventReader.ts';
import { type Behind, type Freshness, ofAnother, type Read, type Reader } from './freshness.ts';
import { pageTokens } from './pageTokens.ts';
import type { ReadDatabase, Rows } from './readDatabase.ts';

/** The header that tells which position a reply reflects, and asks for one (as `min_position` does). */
const POSITION_HEADER = 'x-brokerx-position';

/** For the reference: what every reply says, and what may be asked for. */
export const POSITION_REPLY_HEADERS = {
  'X-BrokerX-Position': 'The position of the event store that this reply reflects.',
} as const;
export const PositionHeaders = z.looseObject({
  [POSITION_HEADER]: z.string().optional().describe('The same as `min_position`, which comes first.'),
});

/**
 * How a request reads: what it is given is at least as new as what it asks for and as what this process ever answered,
 * and the reply says which position that is, taken from the snapshot that was read.
 */
export type Reading = {
  /** The tables of these projections, for this request. */
  of(request: FastifyRequest, reply: FastifyReply, ...projections: string[]): Rows;
  /** The same of anything else that has positions. */
  look<T>(request: FastifyRequest, reply: FastifyReply, source: string, look: Look<T>): Promise<T>;
  /** Refuses a request that asks for more than the store has, which is read up to this head, and says what it has. */
  ofStore(request: FastifyRequest, reply: FastifyReply, head: number): void;
  /** What the `page_token` of a request names, as `keyOf` reads the list's own token. */
  pageAsked<K>(request: FastifyRequest, keyOf: (token: string) => K | undefined): Promise<K | undefined>;
  /** The page as it is given: its token says what the reply reflects. */
  page<T>(reply: FastifyReply, page: Page<T>): Promise<Page<T>>;
  /** Says in the reply which position is reflected. */
  tell(reply: FastifyReply, position: number): void;
};
/** What was seen, and where its source stood in it; null: there was nothing of it. */
export type Look<T> = () => Promise<{ seen: T; position: number | null }>;

type Heading = Pick<EventReader, 'id' | 'head'>;
type Parts = {
  store: Pick<EventReader, 'id' | 'head' | 'landmark'>;
  database: Pick<ReadDatabase, 'queryAt'>;
  freshness: Pick<Freshness, 'read'>;
};

export function reading(parts: Parts): Reading {
  const { store } = parts;
  const tokens = pageTokens(pastOf(store));
  const told = new WeakMap<FastifyReply, number>();
  /** A reply that was read in several looks reflects the earliest of them. */
  const tell = (reply: FastifyReply, position: number) => {
    const lowest = Math.min(position, told.get(reply) ?? position);
    told.set(reply, lowest);
    reply.header(POSITION_HEADER, formatPosition({ storeId: store.id, position: lowest }));
  };
  return {
    of: (request, reply, ...projections) =>
      freshRows(
        parts,
        projections,
        positionAsked(request),
        (position) => tell(reply, position),
        readerOf(request),
      ),
    async look(request, reply, source, look) {
      const { seen, position } = await freshLook(
        parts,
        source,
        look,
        positionAsked(request),
        readerOf(request),
      );
      tell(reply, position);
      return seen;
    },
    ofStore(request, reply, head) {
      const min = positionAsked(request);
      if (min && min.storeId !== store.id)
        throw refused('FOREIGN_POSITION', ofAnother(min.storeId, store.id));
      if (min && min.position > head) throw refused('FOREIGN_POSITION', beyond(min, head));
      tell(reply, head);
    },
    async pageAsked(request, keyOf) {
      const { page_token: token } = request.query as { page_token?: string };
      return token === undefined ? undefined : tokens.keyOf(token, keyOf);
    },
    async page(reply, page) {
      if (page.next === null) return page;
      return { ...page, next: await tokens.given(page.next, told.get(reply) ?? 0) };
    },
    tell,
  };
}

/** Rows of tables that are never older than `min` and than what this process has shown before; else it throws a refusal. */
export function freshRows(
  parts: Omit<Parts, 'store'> & { store: Heading },
  projections: readonly string[],
  min: PositionToken | undefined,
  onRead: (position: number) => void,
  reader?: Reader,
): Rows {
  const { store, database, freshness } = parts;
  return {
    async query<R extends QueryResultRow>(statement: QueryConfig): Promise<R[]> {
      const look = async () => {
        const { rows, positions } = await database.queryAt<R>(statement, projections);
        return { seen: rows, positions };
      };
      const { seen, position } = await orRefused(store, min, freshness.read(projections, min, look, reader));
      onRead(position);
      return seen;
    },
  };
}

/** What a look sees of a source as soon as that is not older than `min` and than what was shown; else it throws a refusal. */
export async function freshLook<T>(
  { store, freshness }: { store: Heading } & Pick<Parts, 'freshness'>,
  source: string,
  look: Look<T>,
  min?: PositionToken,
  reader?: Reader,
): Promise<Read<T>> {
  const wholeLook = async () => {
    const { seen, position } = await look();
    return { seen, positions: [position] };
  };
  return orRefused(store, min, freshness.read([source], min, wholeLook, reader));
}

/** What lies beyond the end of the store never comes: whoever asks for it was told it by another past of the store. */
async function orRefused<T>(
  store: Heading,
  min: PositionToken | undefined,
  reading: Promise<Read<T> | Behind>,
): Promise<Read<T>> {
  const read = await reading;
  if (!('refused' in read)) return read;
  if (read.refused === 'READ_MODEL_BEHIND' && min) {
    const head = await store.head();
    if (min.position > head) throw refused('FOREIGN_POSITION', beyond(min, head));
  }
  throw refused(read.refused, read.detail);
}

const beyond = ({ position }: PositionToken, head: number) =>
  `asked for ${position}, but the event store ends at ${head}: it was put back to an earlier state`;

/** Who asks, and until when: a connection that closes, however it does, takes all its requests along. */
const readerOf = ({ ip, actor, raw: { socket } }: FastifyRequest): Reader => ({
  address: ip,
  // Only routes that are not public know who asks.
  accountId: (actor as Actor | undefined)?.accountId ?? null,
  onGone(listener) {
    if (socket.destroyed) queueMicrotask(listener);
    else socket.once('close', listener);
    return () => socket.off('close', listener);
  },
});

/** The parameter comes before the header; the parameter's form was checked with the route's schema. */
function positionAsked(request: FastifyRequest): PositionToken | undefined {
  const { min_position: parameter } = request.query as { min_position?: string };
  const header = request.headers[POSITION_HEADER];
  const text = parameter ?? (typeof header === 'string' ? header : undefined);
  if (text === undefined) return undefined;
  const token = parsePosition(text);
  if (!token)
    throw invalidParameter('#/headers/x-brokerx-position', 'a position token: <store id>:<position>');
  return token;
}
