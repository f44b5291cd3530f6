import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { type Event, eventCodec, mintId, type Role, SESSION_ENDS } from '@brokerx/contracts';
import {
  createLog,
  createMetrics,
  type DiskSpace,
  type EventStore,
  groupCommit,
  type Http,
  memoryEventStore,
  memorySnapshots,
  noTelemetry,
  type Runtime,
  realRuntime,
  type Snapshots,
  sessionEnds,
  storeFeed,
} from '@brokerx/infra';
import { tokenVerifier } from '@brokerx/infra/auth/tokenVerifier.ts';
import type { JWK } from 'jose';
import { type Accounts, accountsInMemory } from '../src/account/accounts.ts';
import { buildApp } from '../src/app.ts';
import { admissionControl } from '../src/commands/admission.ts';
import { commandsOn } from '../src/commands/commands.ts';
import { startMarkets } from '../src/market/markets.ts';
import type { ShownDepth } from '../src/market/shownDepth.ts';
import { countRecorded } from '../src/orders/recordedOrders.ts';
import { tokenIssuer } from '../src/people/signIn/tokens.ts';

const ISSUER = 'http://test.invalid';
export const quiet = createLog({ name: 'test', level: 'silent' });

/** One whole command-api in this process, over the store that it is given. */
export async function commandApi(options: {
  store?: EventStore<Event>;
  snapshots?: Snapshots;
  runtime?: Runtime;
  disk?: DiskSpace;
  shownDepth?: ShownDepth;
  refusalsPerMinute?: number;
}) {
  const runtime = options.runtime ?? realRuntime;
  const store = options.store ?? memoryEventStore<Event>({ id: randomUUID(), codec: eventCodec() });
  const snapshots = options.snapshots ?? memorySnapshots({ store });
  const appender = groupCommit(store, { runtime });
  const feed = storeFeed({ store, runtime });
  const shared = { store, appender, snapshots, runtime, log: quiet };
  const accounts = accountsInMemory(shared);
  const admission = admissionControl(runtime);
  const markets = await startMarkets({
    ...shared,
    feed,
    onBook: (event) => {
      if (event.type === 'OrderAccepted.v1' || event.type === 'OrderRejected.v1') {
        admission.answered(event.data.order.orderId);
      }
    },
  });
  const telemetry = noTelemetry(runtime);
  const commands = commandsOn({
    store,
    accounts,
    markets,
    runtime,
    telemetry,
    onOutcome: () => undefined,
    onRecorded: (event) => countRecorded(admission, event),
    refusalsPerMinute: options.refusalsPerMinute ?? 300,
  });
  const issuer = await tokenIssuer({ privateJwk: testKey, issuer: ISSUER, runtime });
  const sessions = await sessionEnds({ store, feed, ends: SESSION_ENDS, runtime });
  const app: Http = await buildApp({
    commands,
    markets,
    admission,
    accounts,
    shownDepth:
      options.shownDepth ??
      (async (symbol) => ({ symbol, sequence: 0, last_update_id: 0, crossed: false, bids: [], asks: [] })),
    storeId: store.id,
    verifier: tokenVerifier({ jwks: issuer.jwks, issuer: ISSUER, sessions, runtime }),
    runtime,
    log: quiet,
    metrics: createMetrics('command-api', 'test'),
    telemetry,
    disk: options.disk ?? null,
    ready: async () => ({}),
    version: 'test',
  });
  await app.ready();
  const token = async (accountId: string, roles: Role[]) =>
    (
      await issuer.issue({
        sessionId: randomUUID(),
        sessionRevision: 0,
        clientId: randomUUID(),
        accountId,
        roles,
      })
    ).token;
  return {
    ...shared,
    feed,
    accounts,
    markets,
    commands,
    app,
    admission,
    token,
    async stop() {
      await app.close();
      await sessions.close();
      await markets.stop();
      admission.close();
      await feed.close();
      await accounts.close();
      await appender.close();
    },
  };
}

const testKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  format: 'jwk',
}) as JWK;

/** Opens an account that nobody registered. */
export async function openAccount(accounts: Accounts): Promise<string> {
  const accountId = randomUUID();
  const { openAccount: open } = await import('../src/money/money.ts');
  const { seal } = await import('@brokerx/contracts');
  await accounts.execute(accountId, (account, { commitId }) => ({
    events: seal(commitId, testCause(), open(account, { accountId, clientId: randomUUID() })) as never,
    symbol: null,
  }));
  return accountId;
}

export const testCause = (time = '2026-03-02T14:30:00.000Z') => {
  const requestId = mintId(realRuntime);
  return {
    time,
    actor: 'client:test',
    correlationId: requestId,
    causationId: requestId,
    traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
  };
};
