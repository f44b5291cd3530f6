import { NoConnection, shownServer } from '@brokerx/infra/connectionFault.ts';
import { createTransport } from 'nodemailer';
import type { Mailer } from './mail.ts';

/** Mail over SMTP. Every step of the conversation is bounded in time; a failed one is the caller's to repeat. */
export function smtpMailer({ url, from }: { url: string; from: string }): Mailer {
  const transport = createTransport({
    url,
    pool: true,
    maxConnections: CONNECTIONS_MAX,
    connectionTimeout: STEP_TIMEOUT_MS,
    greetingTimeout: STEP_TIMEOUT_MS,
    socketTimeout: STEP_TIMEOUT_MS,
    dnsTimeout: STEP_TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const address = { tls: url.startsWith('smtps:'), shown: shownServer(url) };
  return {
    async send(mail) {
      await transport.sendMail({ from, ...mail }).catch((error: unknown) => {
        throw isUnreached(error) ? new NoConnection('SMTP_URL', error, address) : error;
      });
    },
    async close() {
      transport.close();
    },
  };
}

const CONNECTIONS_MAX = 2;
/** A mail server that is silent for this long in any step is as good as down. */
const STEP_TIMEOUT_MS = 10_000;

/** What the mail server says of a mail has a reply code of its own (RFC 5321); without one it was never asked. */
const isUnreached = (error: unknown): boolean => {
  const { responseCode, code } = (error ?? {}) as { responseCode?: unknown; code?: unknown };
  return code === 'EAUTH' || responseCode === undefined;
};
