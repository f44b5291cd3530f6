import { Pool } from 'undici';
import { refused } from '../http/problems.ts';
import { type Client, clientQuotas, fullDetail, type QuotaBounds } from '../reading/clientQuotas.ts';
import type { CommandRequest } from './commandRequests.ts';

/**
 * Forwards commands that come over a WebSocket to command-api, with the client's own token and key, and returns the reply.
 * The number of commands on their way is bounded; a command beyond the bound is refused at once.
 */
export type CommandApi = {
  send(request: CommandRequest, token: string, by: Client): Promise<CommandReply>;
  /** Commands that are on their way now. */
  inFlight(): number;
  close(): Promise<void>;
};
export type CommandReply = {
  status: number;
  /** JSON text: the decided resource, or the problem. */
  text: string;
  position: string | undefined;
  replayed: boolean;
};

/** Each connection carries one command at a time, for a few milliseconds: together they carry thousands a second. */
const CONNECTIONS = 64;
/**
 * Commands of about a second. Command-api sees all of them come from one address, so the shares of client addresses are counted
 * here.
 */
const COMMANDS_IN_FLIGHT: QuotaBounds = { max: 2_000, perAddressMax: 512, perAccountMax: 256 };
/** Milliseconds: longer than command-api takes to answer that an outcome is unknown. */
const TIMEOUT_MS = 10_000;

export function commandApi(url: string): CommandApi {
  const pool = new Pool(url, {
    connections: CONNECTIONS,
    pipelining: 1,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    connect: { timeout: TIMEOUT_MS },
  });
  const places = clientQuotas(COMMANDS_IN_FLIGHT);
  return {
    async send({ method, path, key, body }, token, by) {
      const place = places.take(by);
      if (typeof place === 'string') {
        throw refused('OVERLOADED', fullDetail('commands on their way', place, COMMANDS_IN_FLIGHT));
      }
      try {
        const reply = await pool.request({
          method,
          path,
          headers: {
            authorization: `Bearer ${token}`,
            ...(key === undefined ? {} : { 'idempotency-key': key }),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const position = reply.headers['x-brokerx-position'];
        return {
          status: reply.statusCode,
          text: await reply.body.text(),
          position: typeof position === 'string' ? position : undefined,
          replayed: reply.headers['idempotent-replayed'] === 'true',
        };
      } catch (cause) {
        throw refused(
          'UNAVAILABLE',
          'whether it was carried out is not known: repeat it with the same key',
          cause,
        );
      } finally {
        place.leave();
      }
    },
    inFlight: places.count,
    close: () => pool.close(),
  };
}
