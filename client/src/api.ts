import { setTimeout as delay } from 'node:timers/promises';
import { mintId } from '@brokerx/contracts';
import type { Dispatcher, Pool } from 'undici';
import { backOff, worthRepeating } from './backOff.ts';
import { idSource } from './ids.ts';
import { positions as createPositions, type Positions } from './readYourWrites.ts';
import { servers } from './servers.ts';

/**
 * The public HTTP API of BrokerX. When the outcome of a command is unknown (no reply, a broken connection, a restarting
 * server), this client sends it again with the same Idempotency-Key until the outcome is known or the time is up. That
 * is all that a client has to do.
 */
export type Outcome<T = Record<string, unknown>> =
  | { kind: 'ok'; status: number; body: T; position: string | undefined; replayed: boolean; attempts: number }
  | { kind: 'refused'; status: number; code: string; body: Record<string, unknown>; attempts: number }
  /** Whether the command was carried out is not known: no reply came within the patience. */
  | { kind: 'unknown'; error: string; attempts: number };

export type Command = {
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  body?: unknown;
  token?: string | undefined;
  /** Minted when absent. */
  key?: string;
};

export type Reply = { status: number; headers: Record<string, string>; text: string };

export type Api = {
  readonly commandUrl: string;
  readonly queryUrl: string;
  readonly commandUrls: readonly string[];
  readonly queryUrls: readonly string[];
  /** The newest position of each person's commands, which their queries reflect. */
  readonly positions: Positions;
  command<T = Record<string, unknown>>(command: Command): Promise<Outcome<T>>;
  /**
   * Returns the body of a 200 reply or throws `ApiError`. Retries while the service is away or its read model is behind.
   * The reply reflects the person's last command, or `minPosition` if given; null accepts any reply.
   */
  query<T>(
    path: string,
    options?: { token?: string | undefined; minPosition?: string | null | undefined },
  ): Promise<T>;
  /** Sends one request once. */
  raw(base: 'command' | 'query', options: RawRequest): Promise<Reply>;
  /** The lines of a streamed reply (NDJSON, SSE), until it ends or `signal` aborts. */
  lines(
    path: string,
    options?: { token?: string | undefined; headers?: Record<string, string>; signal?: AbortSignal },
  ): AsyncGenerator<string>;
  close(): Promise<void>;
};

export type RawRequest = {
  method?: Dispatcher.HttpMethod;
  path: string;
  headers?: Record<string, string>;
  body?: string;
};

export type ApiOptions = {
  commandUrl: string;
  queryUrl: string;
  /** The servers, when several run. Callers are spread over them, and change to the next one when theirs fails. */
  commandUrls?: readonly string[];
  queryUrls?: readonly string[];
  /** Keep-alive connections to each of the two APIs. */
  connections?: number;
  /** How long one attempt may take. */
  attemptTimeoutMs?: number;
  /** How long a command is repeated before its outcome counts as unknown. */
  patienceMs?: number;
  /** The longest pause between two attempts, even if `Retry-After` asks for more. Only for measurements: it is impolite. */
  pauseMaxMs?: number;
  /** Called with every request that got a whole reply; streams are not among them. */
  onReply?: (base: 'command' | 'query', request: RawRequest, reply: Reply) => void;
};

/** The reply was not 2xx, or none came within the patience (status 0). */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: number;
  readonly code: string;
  constructor(what: string, status: number, code: string, detail: string) {
    super(`${what}: ${status || 'no reply'} ${code} ${detail}`.trim());
    this.status = status;
    this.code = code;
  }
}

/** Longer than any healthy reply takes, short enough to notice a killed server. */
const ATTEMPT_TIMEOUT_MS = 10_000;
/** A killed service is back within seconds; PostgreSQL may take ten to redo its log. */
const PATIENCE_MS = 60_000;
/** Longer pauses that a server asks for are cut to this. */
const RETRY_AFTER_MAX_MS = 5_000;
/** A stream has a heartbeat every 15 s; the rest is for a slow server. */
const STREAM_SILENCE_MS = 60_000;
const STREAM_CONNECTIONS_MAX = 64;

export function brokerApi(options: ApiOptions): Api {
  const { commandUrl, queryUrl, commandUrls = [commandUrl], queryUrls = [queryUrl] } = options;
  const timeoutMs = options.attemptTimeoutMs ?? ATTEMPT_TIMEOUT_MS;
  const patienceMs = options.patienceMs ?? PATIENCE_MS;
  const pauseMaxMs = options.pauseMaxMs ?? RETRY_AFTER_MAX_MS;
  const open = (urls: readonly string[], connections: number, silenceMs: number) =>
    servers(urls, {
      connections,
      pipelining: 1,
      headersTimeout: silenceMs,
      bodyTimeout: silenceMs,
      connect: { timeout: timeoutMs },
    });
  const commands = open(commandUrls, options.connections ?? 16, timeoutMs);
  const queries = open(queryUrls, options.connections ?? 16, timeoutMs);
  const streams = open([queryUrl], STREAM_CONNECTIONS_MAX, STREAM_SILENCE_MS);
  const positions = createPositions();

  const send = async (base: 'command' | 'query', to: Pool, request: RawRequest): Promise<Reply> => {
    const { statusCode, headers, body } = await to.request({
      method: request.method ?? 'GET',
      path: request.path,
      headers: request.headers ?? {},
      ...(request.body === undefined ? {} : { body: request.body }),
    });
    const reply = { status: statusCode, headers: headers as Record<string, string>, text: await body.text() };
    options.onReply?.(base, request, reply);
    return reply;
  };

  return {
    commandUrl,
    queryUrl,
    commandUrls,
    queryUrls,
    positions,

    async command<T>({ method, path, body, token, key }: Command): Promise<Outcome<T>> {
      const idempotencyKey = key ?? mintId(idSource);
      const request: RawRequest = {
        method,
        path,
        headers: {
          'idempotency-key': idempotencyKey,
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      };
      const deadline = performance.now() + patienceMs;
      for (let attempts = 1; ; attempts++) {
        let error: string;
        let pauseMs = backOff(attempts);
        const server = commands.of(token, idempotencyKey);
        try {
          const reply = await send('command', server, request);
          const parsed = jsonOf(reply);
          const position = reply.headers['x-brokerx-position'];
          positions.note(token, position);
          if (reply.status >= 200 && reply.status < 300) {
            return {
              kind: 'ok',
              status: reply.status,
              body: parsed as T,
              position,
              replayed: reply.headers['idempotent-replayed'] === 'true',
              attempts,
            };
          }
          const code = String(parsed['code'] ?? '');
          if (!worthRepeating(reply.status, parsed)) {
            return { kind: 'refused', status: reply.status, code, body: parsed, attempts };
          }
          error = `${reply.status} ${code}`;
          pauseMs = Math.max(pauseMs, retryAfterMs(reply));
        } catch (cause) {
          error = describe(cause);
        }
        commands.failed(token, server);
        pauseMs = Math.min(pauseMs, pauseMaxMs);
        if (performance.now() + pauseMs > deadline) return { kind: 'unknown', error, attempts };
        await delay(pauseMs);
      }
    },

    async query<T>(
      path: string,
      { token, minPosition }: { token?: string | undefined; minPosition?: string | null | undefined } = {},
    ): Promise<T> {
      const deadline = performance.now() + patienceMs;
      const authorization: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
      for (let attempts = 1; ; attempts++) {
        let failure: ApiError;
        const remembered = minPosition === undefined ? positions.of(token) : undefined;
        const position = minPosition ?? remembered;
        const headers = { ...authorization, ...(position ? { 'x-brokerx-position': position } : {}) };
        const server = queries.of(token, path);
        try {
          const reply = await send('query', server, { path, headers });
          if (reply.status === 200) return JSON.parse(reply.text) as T;
          const problem = jsonOf(reply);
          const code = String(problem['code'] ?? '');
          failure = new ApiError(`GET ${path}`, reply.status, code, reply.text.slice(0, 300));
          if (code === 'FOREIGN_POSITION' && remembered !== undefined) {
            positions.forget(token, remembered);
            continue;
          }
          if (!worthRepeating(reply.status, problem)) throw failure;
        } catch (cause) {
          if (cause instanceof ApiError) throw cause;
          failure = new ApiError(`GET ${path}`, 0, '', describe(cause));
        }
        queries.failed(token, server);
        const pauseMs = Math.min(backOff(attempts), pauseMaxMs);
        if (performance.now() + pauseMs > deadline) throw failure;
        await delay(pauseMs);
      }
    },

    raw: (base, request) => send(base, (base === 'command' ? commands : queries).first, request),

    async *lines(path, { token, headers, signal } = {}) {
      const reply = await streams.first.request({
        method: 'GET',
        path,
        headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
        ...(signal ? { signal } : {}),
      });
      if (reply.statusCode !== 200) {
        throw new ApiError(`GET ${path}`, reply.statusCode, '', (await reply.body.text()).slice(0, 300));
      }
      let rest = '';
      const decoder = new TextDecoder();
      for await (const chunk of reply.body) {
        rest += decoder.decode(chunk as Uint8Array, { stream: true });
        const parts = rest.split('\n');
        rest = parts.pop() ?? '';
        yield* parts;
      }
      if (rest) yield rest;
    },

    close: async () => {
      await Promise.all([commands.destroy(), queries.destroy(), streams.destroy()]);
    },
  };
}

/** The outcome of a command that a tool cannot go on without: throws when it did not succeed. */
export function succeeded<T>(what: string, outcome: Outcome<T>): Extract<Outcome<T>, { kind: 'ok' }> {
  if (outcome.kind === 'ok') return outcome;
  if (outcome.kind === 'unknown') throw new ApiError(what, 0, 'UNKNOWN', outcome.error);
  const detail = String(outcome.body['detail'] ?? JSON.stringify(outcome.body['errors'] ?? ''));
  throw new ApiError(what, outcome.status, outcome.code, detail);
}

function retryAfterMs(reply: Reply): number {
  const seconds = Number(reply.headers['retry-after']);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
}

function jsonOf(reply: Reply): Record<string, unknown> {
  if (reply.text === '') return {};
  const nothing = { detail: reply.text.slice(0, 300) };
  try {
    const parsed: unknown = JSON.parse(reply.text);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : nothing;
  } catch {
    return nothing;
  }
}

const describe = (error: unknown): string =>
  error instanceof Error
    ? `${(error as NodeJS.ErrnoException).code ?? error.name}: ${error.message}`
    : String(error);
