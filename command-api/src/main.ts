import { type Event, eventCodec, SESSION_ENDS } from '@brokerx/contracts';
import {
  adapterSettings,
  connectionBounds,
  createLog,
  createMetrics,
  createShutdown,
  type DiskSpace,
  databaseDisk,
  deriveKey,
  diskSpace,
  disks,
  type EventStore,
  groupCommit,
  type Log,
  leasesAfter,
  mintTraceparent,
  openEventStore,
  openFeed,
  openHotStore,
  opening,
  openTallies,
  postgresLeases,
  postgresSnapshots,
  postgresVault,
  type Runtime,
  realRuntime,
  runMain,
  type Shutdown,
  sessionEnds,
  sleep,
  startTelemetry,
} from '@brokerx/infra';
import { tokenVerifier } from '@brokerx/infra/auth/tokenVerifier.ts';
import { LOOPBACK } from '@brokerx/infra/runtime/ports.ts';
import { buildApp } from './app.ts';
import { type CommandApiConfig, commandApiConfig } from './config.ts';
import { inboxRoutes } from './mail/inboxRoutes.ts';
import { developmentInbox } from './mail/mail.inbox.ts';
import { remoteInbox } from './mail/mail.remoteInbox.ts';
import { smtpMailer } from './mail/mail.smtp.ts';
import { hotDepth } from './market/shownDepth.ts';
import { measured } from './metrics.ts';
import { simulatedPayments } from './payments/payments.simulated.ts';
import { startPayments } from './payments/process.ts';
import { lookups } from './people/lookups.ts';
import { bootstrapOperator } from './people/operator.ts';
import { people as peopleOver } from './people/people.ts';
import { limitPublicRequests } from './people/publicRequests.ts';
import { startRegistrationDeadlines } from './people/registration/deadlineWork.ts';
import { mailLimits } from './people/registration/mailLimits.ts';
import { startPasscodeMail } from './people/registration/passcodeMail.ts';
import { clientRoutes } from './people/routes.ts';
import { deadlineSettings, mailLimitSettings, registrationOpenMs, signInLimits } from './people/settings.ts';
import { failedSignIns } from './people/signIn/failedSignIns.ts';
import { argon2Passwords } from './people/signIn/passwords.ts';
import { tokenIssuer } from './people/signIn/tokens.ts';
import { startTrading } from './trading.ts';

/** One command-api process: everything wired by hand, closed in reverse order. */
const SERVICE = 'command-api';
const VERSION = '0.1.0';

async function main(): Promise<void> {
  const config = commandApiConfig();
  const { BROKERX_INSTANCE: instance, BROKERX_MODE: mode } = config;
  const settings = adapterSettings(config);
  const { databaseUrl } = settings;
  const runtime = realRuntime;
  const log = createLog({ name: SERVICE, level: config.LOG_LEVEL, instance });
  const shutdown = createShutdown(log);
  const metrics = createMetrics(SERVICE, VERSION);
  const telemetry = await startTelemetry({
    endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    service: SERVICE,
    version: VERSION,
    instance,
    log,
    runtime,
  });
  shutdown.onShutdown('tracing', () => telemetry.stop());

  const store = await openEventStore<Event>({ settings, codec: eventCodec(), runtime, log });
  shutdown.onShutdown('event store', () => store.close());
  const storeId = store.id;
  const snapshots = await postgresSnapshots({ databaseUrl, store, runtime, log });
  shutdown.onShutdown('snapshots', () => snapshots.close());
  const opened = opening(config.BROKERX_OPENING, shutdown.signal);
  const leases = leasesAfter(opened, await postgresLeases({ databaseUrl, owner: instance, runtime, log }));
  shutdown.onShutdown('leases', () => leases.close());
  const masterKey = config.BROKERX_MASTER_KEY;
  const vaultUrl = config.VAULT_URL ?? databaseUrl;
  const vault = await postgresVault({ databaseUrl: vaultUrl, masterKey, runtime, log });
  shutdown.onShutdown('vault', () => vault.close());
  const appender = groupCommit(measured(store, metrics, runtime), { runtime, log });
  shutdown.onShutdown('appends', () => appender.close());
  const feed = await openFeed({ settings, store, runtime, log });
  shutdown.onShutdown('feed', () => feed.close());

  const ports = { store, storeId, appender, feed, snapshots, leases, runtime, log };
  const trading = await startTrading({
    ...ports,
    telemetry,
    metrics,
    refusalsPerMinute: config.REFUSAL_RATE_PER_MINUTE,
    adoptsMatchingRules: mode === 'development',
  });
  shutdown.onShutdown('trading', () => trading.stop());
  const { accounts } = trading;

  const passwords = argon2Passwords(runtime);
  const secret = deriveKey(masterKey, 'tally');
  const tallies = await openTallies({ settings, storeId, secret, runtime, log });
  shutdown.onShutdown('tallies', () => tallies.close());
  const found = lookups(masterKey);
  const people = peopleOver({
    ...ports,
    accounts,
    vault,
    lookups: found,
    passwords,
    mailLimits: mailLimits(tallies, mailLimitSettings(config), found),
    openMs: registrationOpenMs(config),
  });
  const { inbox, mailer } = await openMail(config, { runtime, log, shutdown });
  const passcodeMail = startPasscodeMail({ ...ports, people, mailer });
  shutdown.onShutdown('passcode mail', () => passcodeMail.close());
  const deadlines = startRegistrationDeadlines({
    ...ports,
    people,
    mailer,
    settings: deadlineSettings(config),
  });
  shutdown.onShutdown('registration deadlines', () => deadlines.close());
  const payments = startPayments({
    ...ports,
    accounts,
    payments: simulatedPayments({ runtime, delayMs: config.PAYMENTS_DELAY_MS }),
  });
  shutdown.onShutdown('payments', () => payments.close());

  const { OPERATOR_EMAIL: email, OPERATOR_PASSWORD: password } = config;
  if (email !== undefined && password !== undefined) {
    await bootstrapOperator(people, { email, password }, mintTraceparent(runtime));
  }

  const disk = eventsDisk({ ...settings, folder: config.DATABASE_FOLDER, log });
  const issuer = config.AUTH_ISSUER;
  const tokens = await tokenIssuer({ privateJwk: config.AUTH_PRIVATE_JWK, issuer, runtime });
  const sessions = await sessionEnds({ ...ports, told: SESSION_ENDS });
  shutdown.onShutdown('session ends', () => sessions.close());
  const hotStore = await openHotStore({
    settings: { ...settings, databaseUrl: config.READ_DATABASE_URL ?? databaseUrl },
    storeId,
    runtime,
    log,
  });
  shutdown.onShutdown('hot store', () => hotStore.close());
  const app = await buildApp({
    ...ports,
    ...trading,
    shownDepth: hotDepth(hotStore, store),
    telemetry,
    verifier: tokenVerifier({ jwks: tokens.jwks, issuer, sessions, runtime }),
    metrics,
    disk,
    ready: async () => ({
      'event store': await answers(store),
      disk: disk.shortage() ?? 'ok',
      requests: trading.admission.standstill() ?? 'ok',
    }),
    version: VERSION,
    trustedProxies: config.TRUSTED_PROXIES,
    bounds: connectionBounds(config),
    async addRoutes(http) {
      await limitPublicRequests(http, { tallies, perMinuteMax: config.PUBLIC_REQUESTS_PER_MINUTE_MAX });
      const failed = failedSignIns(tallies, signInLimits(config), runtime);
      clientRoutes(http, { people, tokens, storeId, sessions, failed });
      const { DEV_INBOX_URL: url } = config;
      const shown = inbox ?? (url === undefined ? null : remoteInbox({ url, runtime }));
      if (shown) inboxRoutes(http, shown);
    },
  });
  shutdown.onShutdown('http', () => app.close());
  const address = await app.listen({ host: config.COMMAND_API_HOST, port: config.COMMAND_API_PORT });
  log.info({ url: address, mode }, 'takes commands');
}

/** Where mail goes: to a mail server, or, where none is named, to an inbox in this process. */
async function openMail(
  config: CommandApiConfig,
  { runtime, log, shutdown }: { runtime: Runtime; log: Log; shutdown: Shutdown },
) {
  const { SMTP_URL, DEV_INBOX_SMTP_PORT: port, MAIL_FROM: from } = config;
  const inbox =
    SMTP_URL === undefined
      ? await developmentInbox({ runtime, log, listen: { host: LOOPBACK, port } })
      : null;
  if (inbox) shutdown.onShutdown('inbox', () => inbox.close());
  const mailer = smtpMailer({ url: inbox?.url ?? SMTP_URL ?? '', from, runtime, log });
  shutdown.onShutdown('mailer', () => mailer.close());
  return { inbox, mailer };
}

/** Where events are appended: watched where it is on this machine, and else as the server tells. */
function eventsDisk(where: {
  databaseUrl: string;
  eventStoreUrl?: string | undefined;
  folder?: string | undefined;
  log: Log;
}): DiskSpace {
  const { databaseUrl, eventStoreUrl, folder, log } = where;
  return disks([
    ...(folder === undefined ? [] : [diskSpace({ folder, runtime: realRuntime, log })]),
    ...(eventStoreUrl === undefined ? [databaseDisk(databaseUrl)] : []),
  ]);
}

/** Readiness is asked often and must not hang while the event store is away. */
const STORE_ANSWERS_MS = 1_000;

async function answers(store: EventStore<Event>): Promise<string> {
  const late = sleep(realRuntime, STORE_ANSWERS_MS).then(() => 'does not answer');
  const head = store.head().then(
    () => 'ok',
    (error: unknown) => `away: ${error instanceof Error ? error.message : String(error)}`,
  );
  return Promise.race([head, late]);
}

await runMain(main);
