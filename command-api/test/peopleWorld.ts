import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { comparableEmail, type Event, eventCodec, SESSION_ENDS } from '@brokerx/contracts';
import {
  createLog,
  createMetrics,
  deriveKey,
  errorsHeardElsewhere,
  groupCommit,
  mintTraceparent,
  openTallies,
  postgresEventStore,
  postgresLeases,
  postgresSnapshots,
  postgresVault,
  type Runtime,
  realRuntime,
  sessionEnds,
  storeFeed,
} from '@brokerx/infra';
import { bearerAuth } from '@brokerx/infra/auth/auth.ts';
import { tokenVerifier } from '@brokerx/infra/auth/tokenVerifier.ts';
import { buildHttp } from '@brokerx/infra/http/http.ts';
import type { Mode } from '@brokerx/infra/runtime/mode.ts';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { z } from 'zod';
import { accountsInMemory } from '../src/account/accounts.ts';
import { inboxRoutes } from '../src/mail/inboxRoutes.ts';
import { developmentInbox } from '../src/mail/mail.inbox.ts';
import { smtpMailer } from '../src/mail/mail.smtp.ts';
import type { Market } from '../src/market/market.ts';
import { simulatedPayments } from '../src/payments/payments.simulated.ts';
import type { Payments } from '../src/payments/payments.ts';
import { startPayments } from '../src/payments/process.ts';
import { developmentPeopleRoutes } from '../src/people/development/peopleRoutes.ts';
import { lookups } from '../src/people/lookups.ts';
import { bootstrapOperator } from '../src/people/operator.ts';
import { people } from '../src/people/people.ts';
import { limitPublicRequests } from '../src/people/publicRequests.ts';
import { startRegistrationDeadlines } from '../src/people/registration/deadlineWork.ts';
import { mailLimits } from '../src/people/registration/mailLimits.ts';
import { startPasscodeMail } from '../src/people/registration/passcodeMail.ts';
import { clientRoutes } from '../src/people/routes.ts';
import {
  deadlineSettings,
  mailLimitSettings,
  peopleVariables,
  registrationOpenMs,
  signInLimits,
} from '../src/people/settings.ts';
import { failedSignIns } from '../src/people/signIn/failedSignIns.ts';
import { argon2Passwords, type HashCost } from '../src/people/signIn/passwords.ts';
import { tokenIssuer } from '../src/people/signIn/tokens.ts';

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
  let reply: { code: number; text: string } | null = null;
  let conversations = 0;
  let isSilent = false;
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    onRcptTo(_address, _session, done) {
      conversations += 1;
      done(reply && Object.assign(new Error(reply.text), { responseCode: reply.code }));
    },
    onData(stream, session, done) {
      simpleParser(stream).then(({ subject = '', text = '' }) => {
        for (const { address } of session.envelope.rcptTo) mails.push({ to: address, subject, text });
        if (isSilent) return;
        done();
      }, done);
    },
  });
  // A sender that is killed resets its connection, which is told to the server, too.
  errorsHeardElsewhere(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    to: (address: string) => mails.filter(({ to }) => comparableEmail(to) === comparableEmail(address)),
    /** Takes mails and does not say so. */
    beSilent(silent: boolean) {
      isSilent = silent;
    },
    /** How often somebody was named as a recipient. */
    conversations: () => conversations,
    /** Refuses every recipient with that; null: takes them again. */
    refuse(code: number | null, text = 'not you') {
      reply = code === null ? null : { code, text };
    },
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** The least that Argon2 takes: what is tried here are hundreds of passwords, and not how hard a hash is to guess. */
const CHEAP_HASHES: HashCost = { memoryCost: 8, timeCost: 1, parallelism: 1 };

const installation = {
  BROKERX_MASTER_KEY: randomBytes(32).toString('base64'),
  AUTH_PRIVATE_JWK: JSON.stringify(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  ),
};

/** People, mail and payments of one process, over a real PostgreSQL, behind real routes. */
export async function peopleProcess(options: {
  databaseUrl: string;
  /** Shares limits with other processes. */
  redisUrl?: string;
  runtime: Runtime;
  variables?: Record<string, string>;
  payments?: Payments;
  mode?: Mode;
  /** The symbols that are listed. */
  symbols?: readonly string[];
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
  const snapshots = await postgresSnapshots({ databaseUrl, store, runtime });
  const appender = groupCommit(store, { runtime, log });
  const feed = storeFeed({ store, runtime });
  const leases = await postgresLeases({ databaseUrl, owner: randomUUID(), runtime: realRuntime });
  const accounts = accountsInMemory({ store, appender, snapshots, runtime, log });
  const vault = await postgresVault({ databaseUrl, masterKey: settings.BROKERX_MASTER_KEY, runtime, log });
  const shared = { store, storeId: store.id, appender, feed, snapshots, leases, runtime, log };
  const tallies = await openTallies({
    settings: { databaseUrl, redisUrl: options.redisUrl },
    storeId: store.id,
    secret: deriveKey(settings.BROKERX_MASTER_KEY, 'tally'),
    runtime,
    log,
  });
  const hashes = lookups(settings.BROKERX_MASTER_KEY);
  const passwords = argon2Passwords(runtime, CHEAP_HASHES);
  const deps = people({
    ...shared,
    accounts,
    vault,
    lookups: hashes,
    passwords,
    mailLimits: mailLimits(tallies, mailLimitSettings(settings), hashes),
    openMs: registrationOpenMs(settings),
  });
  const { OPERATOR_EMAIL: email, OPERATOR_PASSWORD: password } = settings;
  if (email && password) await bootstrapOperator(deps, { email, password }, mintTraceparent(runtime));
  const inbox = settings.SMTP_URL === undefined ? await developmentInbox({ runtime, log }) : null;
  const mailer = smtpMailer({
    url: settings.SMTP_URL ?? inbox?.url ?? '',
    from: settings.MAIL_FROM,
    runtime,
    log,
  });
  const mails = startPasscodeMail({ ...shared, people: deps, mailer });
  const deadlines = startRegistrationDeadlines({
    ...shared,
    people: deps,
    mailer,
    settings: deadlineSettings(settings),
  });
  const payments = startPayments({
    ...shared,
    accounts,
    payments: options.payments ?? simulatedPayments({ runtime, delayMs: 0 }),
  });
  const issuer = settings.AUTH_ISSUER ?? 'http://127.0.0.1:8001';
  const tokens = await tokenIssuer({ privateJwk: settings.AUTH_PRIVATE_JWK, issuer, runtime });
  const sessions = await sessionEnds({ ...shared, ends: SESSION_ENDS });
  const app = await buildHttp({
    title: 'People',
    version: 'test',
    log,
    metrics: createMetrics('command-api', 'test'),
    ready: async () => ({}),
    runtime,
    authenticate: bearerAuth(tokenVerifier({ jwks: tokens.jwks, issuer, sessions, runtime })),
  });
  await limitPublicRequests(app, { tallies, perMinuteMax: settings.PUBLIC_REQUESTS_PER_MINUTE_MAX });
  const signIns = failedSignIns(tallies, signInLimits(settings), runtime);
  clientRoutes(app, { people: deps, tokens, storeId: store.id, sessions, signIns });
  if (inbox) inboxRoutes(app, inbox);
  const listed = (symbol: string) => (options.symbols?.includes(symbol) ? ({} as Market) : undefined);
  const markets = { get: listed, find: async (symbol: string) => listed(symbol) };
  developmentPeopleRoutes(app, { mode: options.mode ?? 'production', people: deps, markets });
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
    people: deps,
    passwords,
    accounts,
    payments,
    logged,
    post,
    async stop() {
      await app.close();
      await Promise.all([tallies.close(), sessions.close()]);
      await Promise.all([mails.close(), deadlines.close(), payments.close()]);
      await mailer.close();
      await inbox?.close();
      await feed.close();
      await accounts.close();
      await appender.close();
      await leases.close();
      await snapshots.close();
      await vault.close();
      await store.close();
    },
  };
}

/** Resolves with the first value that is not undefined; the test's own time-out bounds it. */
export async function eventually<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
