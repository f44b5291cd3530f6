import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { type Event, eventCodec } from '@brokerx/contracts';
import {
  bearerAuth,
  buildHttp,
  createLog,
  createMetrics,
  groupCommit,
  postgresEventStore,
  postgresLeases,
  postgresSnapshots,
  type Runtime,
  realRuntime,
  storeFeed,
} from '@brokerx/infra';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { z } from 'zod';
import { accountsInMemory } from '../src/account/accounts.ts';
import { peopleVariables } from '../src/client/settings.ts';
import { startPeople } from '../src/client/start.ts';

/** A clock that a test sets forward; timers stay real. */
export function testClock(): Runtime & { forward(ms: number): void } {
  let aheadMs = 0;
  return {
    ...realRuntime,
    nowMs: () => realRuntime.nowMs() + aheadMs,
    monotonicMs: () => realRuntime.monotonicMs() + aheadMs,
    forward: (ms) => {
      aheadMs += ms;
    },
  };
}

/** A real mail server of the test's own. */
export async function mailServer() {
  const mails: { to: string; subject: string; text: string }[] = [];
  let refusing = false;
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    onMailFrom: (_address, _session, done) => done(refusing ? new Error('not now') : null),
    onData(stream, session, done) {
      void simpleParser(stream).then(({ subject = '', text = '' }) => {
        for (const { address } of session.envelope.rcptTo) mails.push({ to: address, subject, text });
        done();
      });
    },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    to: (address: string) => mails.filter(({ to }) => to === address),
    refuse(now: boolean) {
      refusing = now;
    },
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

const installation = {
  BROKERX_MASTER_KEY: randomBytes(32).toString('base64'),
  AUTH_PRIVATE_JWK: JSON.stringify(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  ),
};

/** People, mail and payments of one process, over a real PostgreSQL, behind real routes. */
export async function peopleProcess(options: {
  databaseUrl: string;
  runtime: Runtime;
  variables?: Record<string, string>;
}) {
  const { databaseUrl, runtime } = options;
  const logged: string[] = [];
  const log = createLog({
    name: 'command-api',
    level: 'debug',
    destination: { write: (line: string) => void logged.push(line) },
  });
  const settings = z
    .object(peopleVariables)
    .parse({ ...installation, PAYMENTS_DELAY_MS: '0', ...options.variables });
  const store = await postgresEventStore<Event>({ databaseUrl, codec: eventCodec(), runtime, log });
  const snapshots = await postgresSnapshots({ databaseUrl, storeId: store.id, runtime });
  const appender = groupCommit(store, { runtime, log });
  const feed = storeFeed({ store, runtime });
  const leases = await postgresLeases({ databaseUrl, owner: randomUUID(), runtime: realRuntime });
  const accounts = accountsInMemory({ store, appender, snapshots, runtime, log });
  const room = await startPeople({
    settings: { ...settings, DATABASE_URL: databaseUrl },
    storeId: store.id,
    store,
    appender,
    feed,
    snapshots,
    leases,
    accounts,
    runtime,
    log,
  });
  const app = await buildHttp({
    title: 'People',
    version: 'test',
    log,
    metrics: createMetrics('command-api', 'test'),
    ready: async () => ({}),
    runtime,
    authenticate: bearerAuth(room.verifier),
  });
  room.addRoutes(app);
  app.get(
    '/v1/me',
    {
      config: { auth: ['trader'] },
      schema: { response: { 200: z.object({ client_id: z.string(), account_id: z.string() }) } },
    },
    async ({ actor }) => ({ client_id: actor.clientId, account_id: actor.accountId }),
  );
  await app.ready();

  const post = async (url: string, payload?: object, key: string = randomUUID()) => {
    const reply = await app.inject({
      method: 'POST',
      url,
      headers: { 'idempotency-key': key },
      ...(payload ? { payload } : {}),
    });
    return { status: reply.statusCode, body: reply.json(), headers: reply.headers };
  };
  return {
    app,
    store,
    appender,
    accounts,
    room,
    logged,
    post,
    async stop() {
      await app.close();
      await room.close();
      await feed.close();
      await accounts.close();
      await appender.close();
      await leases.close();
      await snapshots.close();
      await store.close();
    },
  };
}

/** Resolves with the first value that is not undefined; the test's own time-out bounds it. */
export async function eventually<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
