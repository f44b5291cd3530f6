import {
  type ConnectionFault,
  connectionFault,
  FINAL_FAULTS,
  shownServer,
} from '@brokerx/infra/runtime/connectionFault.ts';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import { sharedOutage } from '@brokerx/infra/runtime/outage.ts';
import { type Runtime, sleep } from '@brokerx/infra/runtime/runtime.ts';
import { type Mailer, MailNotTaken } from './mail.ts';

type SmtpOptions = { url: string; from: string; runtime: Runtime; log?: Log | undefined };

/**
 * Mail over SMTP. Every step of the conversation is bounded in time; a failed one is the caller's to repeat. What speaks it is
 * loaded for the first mail, or a while after the start: a start does not wait for it.
 */
export function smtpMailer({ url, from, runtime, log }: SmtpOptions): Mailer {
  let transport: ReturnType<typeof openTransport> | null = null;
  const opened = () => {
    transport ??= openTransport(url);
    return transport;
  };
  const address = { tls: url.startsWith('smtps:'), shown: shownServer(url) };
  const faultOf = (error: unknown) => connectionFault('SMTP_URL', error, address);
  const away = sharedOutage({
    log,
    runtime,
    server: `The mail server (${address.shown})`,
    meaning: MEANING,
    reasonOf: (error) => faultOf(error).message,
    isFinal: (error) => FINAL_FAULTS.has(faultOf(error).kind),
  });
  const closing = new AbortController();
  let looking: Promise<void> | null = null;
  /** Nobody may have mail to send for hours: until it answers, the server is looked at without. */
  const look = async () => {
    for (let waitMs = LOOK_FIRST_MS; !closing.signal.aborted; waitMs = Math.min(LOOK_LAST_MS, waitMs * 2)) {
      try {
        await (await opened()).verify();
        return away.answered();
      } catch (error) {
        if (closing.signal.aborted) return;
        // What it refuses, it refuses because it is there.
        if (refusalOf(error as SmtpError)) return away.answered();
        away.failed(error);
      }
      await sleep(runtime, waitMs, closing.signal);
    }
  };
  const lookUntilItAnswers = () => {
    looking ??= look().finally(() => {
      looking = null;
    });
  };
  // A wrong address is told soon after the start, and not when somebody registers.
  const cancelFirstLook = runtime.setTimer(LOOK_AFTER_START_MS, lookUntilItAnswers);
  return {
    async send(mail) {
      const smtp = await opened();
      try {
        await smtp.sendMail({ from, ...mail });
      } catch (error) {
        const refusal = refusalOf(error as SmtpError);
        if (refusal) throw refusal;
        lookUntilItAnswers();
        throw brokenOff(error as SmtpError, faultOf(error));
      }
    },
    async close() {
      cancelFirstLook();
      closing.abort();
      (await transport)?.close();
    },
  };
}

const MEANING =
  'passcodes wait, so nobody can register or change an address; everything else goes on; mail is tried again for as long as its passcode is valid';
const LOOK_AFTER_START_MS = 5_000;
/** Milliseconds between two looks at a server that is away: doubled from the first to the last. */
const LOOK_FIRST_MS = 250;
const LOOK_LAST_MS = 10_000;

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
function brokenOff(error: SmtpError, { kind, message }: ConnectionFault): Error {
  const mayHaveTheMail = kind === 'closed' || kind === 'unknown' || error.message === SILENT_LATER;
  return mayHaveTheMail
    ? new Error(message)
    : new MailNotTaken(message, { final: false, reply: kind, away: true });
}
/** What nodemailer says of a server that answered at first. */
const SILENT_LATER = 'Timeout';
