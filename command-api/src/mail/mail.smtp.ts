import { connectionFault, shownServer } from '@brokerx/infra/runtime/connectionFault.ts';
import { type Mailer, MailNotTaken } from './mail.ts';

/**
 * Mail over SMTP. Every step of the conversation is bounded in time; a failed one is the caller's to repeat. What speaks it is
 * loaded for the first mail: a start does not wait for it.
 */
export function smtpMailer({ url, from }: { url: string; from: string }): Mailer {
  let transport: ReturnType<typeof openTransport> | null = null;
  const address = { tls: url.startsWith('smtps:'), shown: shownServer(url) };
  return {
    async send(mail) {
      transport ??= openTransport(url);
      const opened = await transport;
      try {
        await opened.sendMail({ from, ...mail });
      } catch (error) {
        throw refusalOf(error as SmtpError) ?? brokenOff(error as SmtpError, address);
      }
    },
    async close() {
      (await transport)?.close();
    },
  };
}

async function openTransport(url: string) {
  const { createTransport } = await import('nodemailer');
  return createTransport({
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
}

const CONNECTIONS_MAX = 2;
/** A mail server that is silent for this long in any step is as good as down. */
const STEP_TIMEOUT_MS = 10_000;

type SmtpError = Error & { code?: string; command?: string; responseCode?: number; response?: string };

/** The steps in which a server says of this very mail what becomes of it (RFC 5321 §4.2.1: 5yz is final). */
const ABOUT_THE_MAIL: ReadonlySet<string> = new Set(['MAIL FROM', 'RCPT TO', 'DATA']);

/** What the server answered to the mail; null where it was not asked for it, or did not answer. */
function refusalOf({ code, command = '', responseCode, response = '' }: SmtpError): MailNotTaken | null {
  // An address that nodemailer itself does not write into an envelope.
  if (code === 'EENVELOPE' && responseCode === undefined) return notTaken(true, code, 'envelope');
  if (code === 'EAUTH' || responseCode === undefined) return null;
  const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1];
  const reply = enhanced === undefined ? String(responseCode) : `${responseCode} ${enhanced}`;
  return notTaken(responseCode >= 500 && ABOUT_THE_MAIL.has(command), reply, command);
}

/** The server's own words often repeat the address: its codes are enough. */
const notTaken = (final: boolean, reply: string, step: string) =>
  new MailNotTaken(
    `the mail server ${final ? 'refuses the mail for good' : 'does not take the mail now'}: ${reply} (${step})`,
    { final, reply },
  );

/** A conversation that ended without an answer: before it came to the mail, or in the middle of it. */
function brokenOff(error: SmtpError, address: { tls: boolean; shown: string }): Error {
  const { kind, message } = connectionFault('SMTP_URL', error, address);
  const mayHaveTheMail = kind === 'closed' || kind === 'unknown' || error.message === SILENT_LATER;
  return mayHaveTheMail ? new Error(message) : new MailNotTaken(message, { final: false, reply: kind });
}
/** What nodemailer says of a server that answered at first. */
const SILENT_LATER = 'Timeout';
