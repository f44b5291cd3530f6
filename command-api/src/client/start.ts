import type { Event } from '@brokerx/contracts';
import {
  type Appender,
  type EventStore,
  type Http,
  mintTraceparent,
  postgresVault,
  type TokenVerifier,
  tokenVerifier,
} from '@brokerx/infra';
import type { Accounts } from '../account/accounts.ts';
import { inboxRoutes } from '../mail/inboxRoutes.ts';
import { developmentInbox } from '../mail/mail.inbox.ts';
import { smtpMailer } from '../mail/mail.smtp.ts';
import type { TaskDeps } from '../openTasks.ts';
import { simulatedPayments } from '../payments/payments.simulated.ts';
import { startPayments } from '../payments/process.ts';
import { tokenIssuer } from '../tokens.ts';
import { lookups } from './lookups.ts';
import { bootstrapOperator } from './operator.ts';
import { startPasscodeMail } from './passcodeMail.ts';
import { argon2Passwords } from './passwords.ts';
import { people } from './people.ts';
import { clientRoutes } from './routes.ts';
import type { PeopleSettings } from './settings.ts';

/** Wires people, keys, mail and payments: what `main.ts` needs of them. */
export type PeopleRoom = {
  /** For the routes of the whole API: it has the issuer's own keys. */
  verifier: TokenVerifier;
  addRoutes(app: Http): void;
  /** Deposits and mails not worked off yet, as far as this process has them. */
  stats(): { openDeposits: number; openMails: number };
  close(): Promise<void>;
};

export async function startPeople(
  options: TaskDeps & {
    settings: PeopleSettings & { DATABASE_URL: string };
    store: EventStore<Event>;
    appender: Appender<Event>;
    accounts: Accounts;
  },
): Promise<PeopleRoom> {
  const { settings, store, appender, accounts, runtime, log } = options;
  const tokens = await tokenIssuer({
    privateJwk: settings.AUTH_PRIVATE_JWK,
    issuer: settings.AUTH_ISSUER,
    runtime,
  });
  const vault = await postgresVault({
    databaseUrl: settings.VAULT_URL ?? settings.DATABASE_URL,
    masterKey: settings.BROKERX_MASTER_KEY,
    runtime,
    log,
  });
  const inbox = settings.SMTP_URL === undefined ? await developmentInbox({ runtime, log }) : null;
  const mailer = smtpMailer({ url: settings.SMTP_URL ?? inbox?.url ?? '', from: settings.MAIL_FROM });
  const who = people({
    store,
    appender,
    accounts,
    vault,
    lookups: lookups(settings.BROKERX_MASTER_KEY),
    passwords: argon2Passwords(runtime),
    runtime,
    log,
  });
  const { OPERATOR_EMAIL: email, OPERATOR_PASSWORD: password } = settings;
  if (email !== undefined && password !== undefined) {
    await bootstrapOperator(who, { email, password }, mintTraceparent(runtime));
  } else if (email !== undefined || password !== undefined) {
    log.warn('OPERATOR_EMAIL and OPERATOR_PASSWORD are set together or not at all: no operator is made');
  }
  const mails = startPasscodeMail({ ...options, people: who, mailer });
  const payments = simulatedPayments({ runtime, delayMs: settings.PAYMENTS_DELAY_MS });
  const deposits = startPayments({ ...options, accounts, payments });
  return {
    verifier: tokenVerifier({ jwks: tokens.jwks, issuer: settings.AUTH_ISSUER, runtime }),
    addRoutes(app) {
      clientRoutes(app, { people: who, tokens, storeId: store.id });
      if (inbox) inboxRoutes(app, inbox);
    },
    stats: () => ({ openDeposits: deposits.open(), openMails: mails.open() }),
    async close() {
      await Promise.all([mails.close(), deposits.close()]);
      await mailer.close();
      await inbox?.close();
      await vault.close();
    },
  };
}
