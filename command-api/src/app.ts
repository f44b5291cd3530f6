import type { IncomingMessage } from 'node:http';
import {
  type ConnectionBounds,
  type DiskSpace,
  type Gate,
  type Http,
  type Log,
  type Metrics,
  type Readiness,
  type ReadyReply,
  type Runtime,
  readyReply,
  type Telemetry,
  type TokenVerifier,
} from '@brokerx/infra';
import { bearerAuth } from '@brokerx/infra/auth/auth.ts';
import { buildHttp } from '@brokerx/infra/http/http.ts';
import type { Accounts } from './account/accounts.ts';
import type { Admission } from './commands/admission.ts';
import type { Commands } from './commands/commands.ts';
import { tryLater } from './commands/refusals.ts';
import type { Markets } from './market/markets.ts';
import type { ShownDepth } from './market/shownDepth.ts';
import { accountRoutes } from './money/routes.ts';
import { marketWideRoutes } from './operations/marketWideRoutes.ts';
import { marketRoutes } from './operations/routes.ts';
import { batchRoutes } from './orders/batchRoutes.ts';
import { cancelPreviewRoutes } from './orders/cancelPreviewRoutes.ts';
import { cancelRoutes } from './orders/cancelRoutes.ts';
import { previewRoutes } from './orders/preview/previewRoutes.ts';
import { orderRoutes } from './orders/routes.ts';
import { deadManRoutes } from './protection/deadManRoutes.ts';
import { killSwitchRoutes } from './protection/killSwitchRoutes.ts';

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
  /** The disk space of the database; null if it is not known. */
  disk: DiskSpace | null;
  version: string;
  trustedProxies?: readonly string[];
  bounds?: ConnectionBounds;
  /** Adds the routes of people: registration, sign-in, mail in development. */
  addRoutes?: (app: Http) => void | Promise<void>;
};

export async function buildApp(options: AppOptions): Promise<Http> {
  const { verifier, runtime, log, metrics, ready, telemetry, version, addRoutes } = options;
  const { trustedProxies = [], bounds } = options;
  const app = await buildHttp({
    title: 'BrokerX commands',
    version,
    description: DESCRIPTION,
    tags: [
      { name: 'People', description: 'Register, verify, sign in.' },
      { name: 'Orders', description: 'Place, reduce and cancel orders.' },
      { name: 'Money', description: 'Money into the wallet.' },
      { name: 'Operations', description: 'For operators: symbols, halts, transfers, exemptions.' },
      {
        name: 'Development',
        description:
          'Only where `BROKERX_MODE` is `development`; mail only where no mail server is configured.',
      },
    ],
    log,
    metrics,
    ready,
    runtime,
    telemetry,
    trustedProxies,
    ...(bounds ? { bounds } : {}),
    gate: gateOf(options),
    authenticate: bearerAuth(verifier),
  });
  refuseWithoutDisk(app, options);
  orderRoutes(app, options);
  batchRoutes(app, options);
  cancelRoutes(app, options);
  cancelPreviewRoutes(app, options);
  previewRoutes(app, options);
  deadManRoutes(app, options);
  killSwitchRoutes(app, options);
  accountRoutes(app, options);
  marketRoutes(app, options);
  marketWideRoutes(app, options);
  await addRoutes?.(app);
  return app;
}

const DESCRIPTION = `Every command that changes something takes an \`Idempotency-Key\` (a UUID, best version 7): repeat a request
whose reply you did not get with the same key, and it happens once. A 2xx means: on disk. Replies carry
\`X-BrokerX-Position\`; give it to a query (\`min_position\`) to read what you wrote. Errors are problems (RFC 9457)
with a \`code\`, and say whether the very same request may succeed later (\`retryable\`, \`retry_after\`): such refusals are recorded
nowhere, and their keys may be sent again.

To begin: \`POST /v1/registrations\`, take the passcode from the mail (locally \`/dev/inbox\`),
\`POST /v1/registrations/{id}/verification\`, \`POST /v1/sessions\`, and send the token as \`Authorization: Bearer\`.`;

/**
 * Bounds what is in flight, before the token is looked up and the body is read. What only looks (health, documents) is not
 * bounded here.
 */
function gateOf({ admission, runtime }: AppOptions): Gate {
  const refusals = Array.from({ length: READY_REFUSALS }, () => readyReply(tryLater(runtime, 'OVERLOADED')));
  let refused = 0;
  return (request, address) => {
    const { method = '', url = '' } = request;
    if (LOOKS.has(method)) return FREE;
    const incoming = { bytes: bodyBytes(request), cancels: isCancel(method, url), address };
    if (admission.enter(incoming)) return { left: (answered) => admission.leave(incoming, answered) };
    refused += 1;
    return refusals[refused % READY_REFUSALS] as ReadyReply;
  };
}

const FREE = { left: null };
/** Their Retry-After differs, so that all who were refused together do not come back together. */
const READY_REFUSALS = 64;
const LOOKS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** What only takes orders out of the market goes first. */
const isCancel = (method: string, url: string) => method === 'DELETE' || /\/kill-switch(\?|$)/.test(url);

function refuseWithoutDisk(app: Http, { disk, runtime }: AppOptions): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const shortage = LOOKS.has(request.method) ? null : disk?.shortage();
    if (shortage) return done(tryLater(runtime, 'UNAVAILABLE', { detail: shortage }));
    done();
  });
}

/** Counted for a body of unknown length. */
const UNKNOWN_BYTES = 4_096;

const bodyBytes = ({ headers }: IncomingMessage): number => {
  const length = Number(headers['content-length'] ?? 0);
  return headers['transfer-encoding'] === undefined && Number.isSafeInteger(length) ? length : UNKNOWN_BYTES;
};
