import {
  bearerAuth,
  buildHttp,
  type DiskSpace,
  type Http,
  type Log,
  type Metrics,
  type Readiness,
  type Runtime,
  type Telemetry,
  type TokenVerifier,
} from '@brokerx/infra';
import type { FastifyRequest } from 'fastify';
import type { Accounts } from './account/accounts.ts';
import { orderRoutes } from './account/orderRoutes.ts';
import type { ShownDepth } from './account/previewRoutes.ts';
import { accountRoutes } from './account/routes.ts';
import type { Admission } from './admission.ts';
import type { Commands } from './handle.ts';
import type { Markets } from './market/markets.ts';
import { marketRoutes } from './market/routes.ts';
import { tryLater } from './refusals.ts';

/** The HTTP API of commands, built without listening. */
export type AppOptions = {
  commands: Commands;
  markets: Markets;
  admission: Admission;
  accounts: Accounts;
  shownDepth: ShownDepth;
  storeId: string;
  verifier: TokenVerifier;
  runtime: Runtime;
  log: Log;
  metrics: Metrics;
  ready: Readiness;
  telemetry: Telemetry;
  /** Of the database; null where it is not known. */
  disk: DiskSpace | null;
  version: string;
  trustedProxies?: readonly string[];
  /** Adds the routes of people: registration, sign-in, mail in development. */
  addRoutes?: (app: Http) => void | Promise<void>;
};

declare module 'fastify' {
  interface FastifyRequest {
    /** Bytes that admission counts for this request; -1 when it was not admitted. */
    admittedBytes: number;
  }
}

export async function buildApp(options: AppOptions): Promise<Http> {
  const { verifier, runtime, log, metrics, ready, telemetry, version, addRoutes } = options;
  const { trustedProxies = [] } = options;
  const app = await buildHttp({
    title: 'BrokerX commands',
    version,
    description: DESCRIPTION,
    tags: [
      { name: 'People', description: 'Register, verify, sign in.' },
      { name: 'Orders', description: 'Place, reduce and cancel orders.' },
      { name: 'Money', description: 'Money into the wallet.' },
      { name: 'Operations', description: 'For operators: symbols, halts, transfers, exemptions.' },
      { name: 'Development', description: 'Only where no mail server is configured.' },
    ],
    log,
    metrics,
    ready,
    runtime,
    telemetry,
    trustedProxies,
    authenticate: bearerAuth(verifier),
  });
  admit(app, options);
  orderRoutes(app, options);
  accountRoutes(app, options);
  marketRoutes(app, options);
  await addRoutes?.(app);
  return app;
}

const DESCRIPTION = `Every command that changes something takes an \`Idempotency-Key\` (a UUID): repeat a request whose
reply you did not get with the same key, and it happens once. A 2xx means: on disk. Replies carry
\`X-BrokerX-Position\`; give it to a query (\`min_position\`) to read what you wrote. Errors are problems (RFC 9457)
with a \`code\`.

To begin: \`POST /v1/registrations\`, take the passcode from the mail (locally \`/dev/inbox\`),
\`POST /v1/registrations/{id}/verification\`, \`POST /v1/sessions\`, and send the token as \`Authorization: Bearer\`.`;

/** Bounds what is in flight, before any body is read. What only looks (health, documents) is not bounded here. */
function admit(app: Http, { admission, disk, runtime }: AppOptions): void {
  app.decorateRequest('admittedBytes', -1);
  app.addHook('onRequest', (request, _reply, done) => {
    const { method } = request;
    if (method === 'GET' || method === 'HEAD') return done();
    const shortage = disk?.shortage();
    if (shortage) return done(tryLater(runtime, 'UNAVAILABLE', { detail: shortage }));
    const bytes = bodyBytes(request);
    if (!admission.enter({ bytes, cancels: method === 'DELETE' })) {
      return done(tryLater(runtime, 'OVERLOADED'));
    }
    request.admittedBytes = bytes;
    done();
  });
  const leave = (request: FastifyRequest) => {
    if (request.admittedBytes < 0) return;
    admission.leave(request.admittedBytes);
    request.admittedBytes = -1;
  };
  app.addHook('onResponse', (request, _reply, done) => {
    leave(request);
    done();
  });
  // A client that went away gets no reply, and fastify then calls no `onResponse`.
  app.addHook('onRequestAbort', (request, done) => {
    leave(request);
    done();
  });
}

/** Counted for a body of unknown length. */
const UNKNOWN_BYTES = 4_096;

const bodyBytes = ({ headers }: FastifyRequest): number => {
  const length = Number(headers['content-length'] ?? 0);
  return headers['transfer-encoding'] === undefined && Number.isSafeInteger(length) ? length : UNKNOWN_BYTES;
};
