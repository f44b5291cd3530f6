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
  return {
    async send(mail) {
      await transport.sendMail({ from, ...mail });
    },
    async close() {
      transport.close();
    },
  };
}

const CONNECTIONS_MAX = 2;
/** A mail server that is silent for this long in any step is as good as down. */
const STEP_TIMEOUT_MS = 10_000;
