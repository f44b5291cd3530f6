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

/** In a reply: the position that it reflects. In a request: the same as `min_position`. */
const POSITION_HEADER = 'x-brokerx-position';

/** The header for the API reference. */
export const POSITION_REPLY_HEADERS = {
  'X-BrokerX-Position': 'The position of the event store that this reply reflects.',
} as const;
export const PositionHeaders = z.looseObject({
  [POSITION_HEADER]: z.string().optional().describe('The same as `min_position`, which comes first.'),
});

/**
 * How routes read. Data are at least as new as the position that the request names, and as anything that this process has
 * answered before; the reply states their position, taken from the snapshot that was read.
 */
export type Reading = {
  /** The tables of these projections, read for this request. */
  of(request: FastifyRequest, reply: FastifyReply, ...projections: string[]): Rows;
  /** Reads a source that is no table but has positions, for this request. */
  look<T>(request: FastifyRequest, reply: FastifyReply, source: string, look: Look<T>): Promise<T>;
  /** For replies read from the store up to `head`: refuses a request for a later position, and states the head in the reply. */
  ofStore(request: FastifyRequest, reply: FastifyReply, head: number): void;
  /** The key in the request's `page_token`; `keyOf` parses the list's own token. */
  requestedPage<K>(request: FastifyRequest, keyOf: (token: string) => K | undefined): Promise<K | undefined>;
  /** The page for the client: its token states, too, what the reply reflects. */
  page<T>(reply: FastifyReply, page: Page<T>): Promise<Page<T>>;
  /** States in the reply's header the position that it reflects. */
  tell(reply: FastifyReply, position: number): void;
};
/** Returns what it saw, and the source's position in it; null: the source is not there. */
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
  const reflected = new WeakMap<FastifyReply, number>();
  /** A reply made of several reads reflects the lowest of their positions. */
  const tell = (reply: FastifyReply, position: number) => {
    const lowest = Math.min(position, reflected.get(reply) ?? position);
    reflected.set(reply, lowest);
    reply.header(POSITION_HEADER, formatPosition({ storeId: store.id, position: lowest }));
  };
  return {
    of: (request, reply, ...projections) =>
      freshRows(
        parts,
        projections,
        requestedPosition(request),
        (position) => tell(reply, position),
        readerOf(request),
      ),
    async look(request, reply, source, look) {
      const { seen, position } = await freshLook(
        parts,
        source,
        look,
        requestedPosition(request),
        readerOf(request),
      );
      tell(reply, position);
      return seen;
    },
    ofStore(request, reply, head) {
      const min = requestedPosition(request);
      if (min && min.storeId !== store.id)
        throw refused('FOREIGN_POSITION', ofAnother(min.storeId, store.id));
      if (min && min.position > head) throw refused('FOREIGN_POSITION', beyond(min, head));
      tell(reply, head);
    },
    async requestedPage(request, keyOf) {
      const { page_token: token } = request.query as { page_token?: string };
      return token === undefined ? undefined : tokens.keyOf(token, keyOf);
    },
    async page(reply, page) {
      if (page.next === null) return page;
      return { ...page, next: await tokens.toClient(page.next, reflected.get(reply) ?? 0) };
    },
    tell,
  };
}

/** Tables whose rows are never older than `min`, or than what this process has shown before; a query throws a refusal instead. */
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

/** Reads a source once it is not older than `min`, or than what was shown before; throws a refusal otherwise. */
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

/** A position beyond the end of the store never comes: the client has it from another past of the store. */
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

/** The client of a request; it has gone once its connection has closed. */
const readerOf = ({ ip, actor, raw: { socket } }: FastifyRequest): Reader => ({
  address: ip,
  // Public routes do not know the account.
  accountId: (actor as Actor | undefined)?.accountId ?? null,
  onGone(listener) {
    if (socket.destroyed) queueMicrotask(listener);
    else socket.once('close', listener);
    return () => socket.off('close', listener);
  },
});

/** The position that a request names: the parameter, whose form the route's schema has checked, or else the header. */
function requestedPosition(request: FastifyRequest): PositionToken | undefined {
  const { min_position: parameter } = request.query as { min_position?: string };
  const header = request.headers[POSITION_HEADER];
  const text = parameter ?? (typeof header === 'string' ? header : undefined);
  if (text === undefined) return undefined;
  const token = parsePosition(text);
  if (!token)
    throw invalidParameter('#/headers/x-brokerx-position', 'a position token: <store id>:<position>');
  return token;
}
