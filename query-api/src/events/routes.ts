import { Readable } from 'node:stream';
import { views } from '@brokerx/contracts';
import type { Runtime, SessionEnds } from '@brokerx/infra';
import type { Http } from '@brokerx/infra/http/http.ts';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import type { FastifyReply } from 'fastify';
import { STAFF } from '../http/actor.ts';
import { EventsQuery } from '../http/parameters.ts';
import { refused } from '../http/problems.ts';
import type { ClientQuotas } from '../reading/clientQuotas.ts';
import { fullDetail, type QuotaBounds } from '../reading/clientQuotas.ts';
import type { EventReader } from '../reading/eventReader.ts';
import { POSITION_REPLY_HEADERS, PositionHeaders, type Reading } from '../reading/reading.ts';
import { rawEventLines } from './rawEvents.ts';

/** Exports at once. Each keeps a page in memory and reads the store without a pause; one analyst leaves room for another. */
export const EXPORTS: QuotaBounds = { max: 16, perAddressMax: 16, perAccountMax: 8 };
/** Milliseconds that a reader may take nothing of a waiting page before the export ends. */
const STALL_MS = 60_000;

/** What the route of the event history works with. */
export type EventRoutes = {
  store: EventReader;
  sessions: Pick<SessionEnds, 'onEnd'>;
  /** Places for exports, in all and for each client. */
  exportPlaces: ClientQuotas;
  runtime: Runtime;
  log: Log;
};

export function eventRoutes(app: Http, deps: EventRoutes, reads: Reading): void {
  const { store, sessions, exportPlaces, runtime, log } = deps;
  const open = new Set<AbortController>();
  app.addHook('preClose', async () => {
    for (const reader of open) reader.abort();
  });

  app.get(
    '/v1/events',
    {
      config: { auth: STAFF, replyHeaders: POSITION_REPLY_HEADERS },
      exposeHeadRoute: false,
      schema: {
        tags: ['Events'],
        summary: 'Raw events as NDJSON',
        description: `One event a line, in the order of the store, up to its head at the time of the request (\`X-BrokerX-Position\`), or
with \`follow=true\` for ever. Positions need not be dense. A reply that is cut off was not complete: go on after the last position.`,
        headers: PositionHeaders,
        querystring: EventsQuery,
        response: {
          200: {
            description: 'Lines, each of them a JSON text of this form.',
            content: { 'application/x-ndjson': { schema: views.RawEventView } },
          },
        },
      },
    },
    async (request, reply) => {
      const { actor } = request;
      const place = exportPlaces.take({ address: request.ip, accountId: actor.accountId });
      if (typeof place === 'string') {
        throw refused(
          place === 'ACCOUNT_FULL' ? 'TOO_MANY_STREAMS' : 'OVERLOADED',
          fullDetail('exports', place, EXPORTS),
        );
      }
      const { after, until, category, stream, type, limit, follow } = request.query;
      const reader = new AbortController();
      open.add(reader);
      const head = await store
        .head()
        .then((head) => {
          reads.ofStore(request, reply, head);
          return head;
        })
        .catch((error: unknown) => {
          open.delete(reader);
          place.leave();
          throw error;
        });
      const follows = follow === 'true';
      const lines = rawEventLines(
        store,
        {
          after,
          until: follows ? until : Math.min(until ?? head, head),
          filter: {
            ...(category ? { categories: category } : {}),
            ...(stream ? { streams: stream } : {}),
            ...(type ? { types: type } : {}),
          },
          limit,
          follow: follows,
        },
        reader.signal,
      );
      const pages = impatient(lines, () => body.destroy(new Error('the reader takes nothing')));
      const body = Readable.from(
        endedBy(pages, () => reader.abort()),
        {
          objectMode: true,
          // A chunk is a page already.
          highWaterMark: 1,
        },
      );
      const cancelExpiry = follows
        ? runtime.setTimer(Math.max(0, actor.expiresAtMs - runtime.nowMs()), () => reader.abort())
        : () => undefined;
      const leaveSession = follows ? sessions.onEnd(actor, () => reader.abort()) : () => undefined;
      body.on('error', (error) => log.warn({ err: error, request_id: request.id }, 'an export was cut off'));
      body.once('close', () => {
        cancelExpiry();
        reader.abort();
        open.delete(reader);
        leaveSession();
        place.leave();
      });
      return send(reply, body);
    },
  );

  /** Says that nothing more is wanted before it waits for the page under way, which may wait for an event that never comes. */
  const endedBy = (pages: AsyncGenerator<string>, end: () => void): AsyncIterable<string> => ({
    [Symbol.asyncIterator]: () => ({
      next: () => pages.next(),
      return() {
        end();
        return pages.return(undefined);
      },
    }),
  });
  const send = (reply: FastifyReply, body: Readable) =>
    reply.type('application/x-ndjson; charset=utf-8').send(body);

  /** Gives up where a chunk is not taken in time. */
  async function* impatient(chunks: AsyncGenerator<string>, giveUp: () => void): AsyncGenerator<string> {
    for await (const chunk of chunks) {
      const cancel = runtime.setTimer(STALL_MS, giveUp);
      try {
        yield chunk;
      } finally {
        cancel();
      }
    }
  }
}
