import { type Event, eventCodec, SESSION_ENDS } from '@brokerx/contracts';
import {
  adapterSettings,
  connectionBounds,
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
  openTallies,
  postgresLeases,
  postgresSnapshots,
  postgresVault,
  type Runtime,
  realRuntime,
  runMain,
  type Shutdown,
  sessionEnds,
  startProcess,
  startSignal,
} from '@brokerx/infra';
import { tokenVerifier } from '@brokerx/infra/auth/tokenVerifier.ts';
import { LOOPBACK } from '@brokerx/infra/runtime/ports.ts';
import { withinTime } from '@brokerx/infra/runtime/waiting.ts';
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
import { developmentPeopleRoutes } from './people/development/peopleRoutes.ts';
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
  const { runtime, log, shutdown, metrics, telemetry } = await startProcess({
    service: SERVICE,
    version: VERSION,
    instance,
    logLevel: config.LOG_LEVEL,
    telemetryEndpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
  });
  const { keep } = shutdown;

  const codec = eventCodec();
  const store = keep('event store', await openEventStore<Event>({ settings, codec, runtime, log }));
  const storeId = store.id;
  const snapshots = keep('snapshots', await postgresSnapshots({ databaseUrl, store, runtime, log }));
  const started = startSignal(config.BROKERX_OPENING, shutdown.signal);
  const allLeases = await postgresLeases({ databaseUrl, owner: instance, runtime, log });
  const leases = keep('leases', leasesAfter(started, allLeases));
  const masterKey = config.BROKERX_MASTER_KEY;
  const vaultUrl = config.VAULT_URL ?? databaseUrl;
  const vault = keep('vault', await postgresVault({ databaseUrl: vaultUrl, masterKey, runtime, log }));
  const appender = keep('appends', groupCommit(measured(store, metrics, runtime), { runtime, log }));
  const feed = keep('feed', await openFeed({ settings, store, runtime, log }));

  const ports = { store, storeId, appender, feed, snapshots, leases, runtime, log };
  const trading = keep(
    'trading',
    await startTrading({
      ...ports,
      telemetry,
      metrics,
      refusalsPerMinute: config.REFUSAL_RATE_PER_MINUTE,
      adoptsMatchingRules: mode === 'development',
    }),
  );
  const { accounts } = trading;

  const passwords = argon2Passwords(runtime);
  const secret = deriveKey(masterKey, 'tally');
  const tallies = keep('tallies', await openTallies({ settings, storeId, secret, runtime, log }));
  const peopleLookups = lookups(masterKey);
  const people = peopleOver({
    ...ports,
    accounts,
    vault,
    lookups: peopleLookups,
    passwords,
    mailLimits: mailLimits(tallies, mailLimitSettings(config), peopleLookups),
    openMs: registrationOpenMs(config),
  });
  const { inbox, mailer } = await openMail(config, { runtime, log, shutdown });
  keep('passcode mail', startPasscodeMail({ ...ports, people, mailer }));
  const deadlines = deadlineSettings(config);
  keep(
    'registration deadlines',
    startRegistrationDeadlines({ ...ports, people, mailer, settings: deadlines }),
  );
  const payments = simulatedPayments({ runtime, delayMs: config.PAYMENTS_DELAY_MS });
  keep('payments', startPayments({ ...ports, accounts, payments }));

  const { OPERATOR_EMAIL: email, OPERATOR_PASSWORD: password } = config;
  if (email !== undefined && password !== undefined) {
    await bootstrapOperator(people, { email, password }, mintTraceparent(runtime));
  }

  const disk = eventsDisk({ ...settings, folder: config.DATABASE_FOLDER, log });
  const issuer = config.AUTH_ISSUER;
  const tokens = await tokenIssuer({ privateJwk: config.AUTH_PRIVATE_JWK, issuer, runtime });
  const sessions = keep('session ends', await sessionEnds({ ...ports, ends: SESSION_ENDS }));
  const readSettings = { ...settings, databaseUrl: config.READ_DATABASE_URL ?? databaseUrl };
  const hotStore = keep('hot store', await openHotStore({ settings: readSettings, storeId, runtime, log }));
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
      const signIns = failedSignIns(tallies, signInLimits(config), runtime);
      clientRoutes(http, { people, tokens, storeId, sessions, signIns });
      const { DEV_INBOX_URL: url } = config;
      const shown = inbox ?? (url === undefined ? null : remoteInbox({ url, runtime }));
      if (shown) inboxRoutes(http, shown);
      developmentPeopleRoutes(http, { mode, people, markets: trading.markets });
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
  if (inbox) shutdown.keep('inbox', inbox);
  const url = inbox?.url ?? SMTP_URL ?? '';
  const mailer = shutdown.keep('mailer', smtpMailer({ url, from, runtime, log }));
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

/** Milliseconds that `/readyz` waits for the event store: probes come often and must not pile up while it is away. */
const STORE_ANSWERS_MS = 1_000;

async function answers(store: EventStore<Event>): Promise<string> {
  const head = store.head().then(
    () => 'ok',
    (error: unknown) => `away: ${error instanceof Error ? error.message : String(error)}`,
  );
  return withinTime(realRuntime, STORE_ANSWERS_MS, head, () => 'does not answer');
}

await runMain(main);
