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
 * Sends mail over SMTP. Every step of the conversation has a time-out; the caller decides whether to send a mail again. The
 * SMTP library is loaded for the first mail, or some seconds after the start, so that the start does not wait for it.
 */
export function smtpMailer({ url, from, runtime, log }: SmtpOptions): Mailer {
  let transport: ReturnType<typeof openTransport> | null = null;
  const sharedTransport = () => {
    transport ??= openTransport(url);
    return transport;
  };
  const address = { tls: url.startsWith('smtps:'), shown: shownServer(url) };
  const faultOf = (error: unknown) => connectionFault('SMTP_URL', error, address);
  const outage = sharedOutage({
    log,
    runtime,
    server: `The mail server (${address.shown})`,
    meaning: MEANING,
    reasonOf: (error) => faultOf(error).message,
    isFinal: (error) => FINAL_FAULTS.has(faultOf(error).kind),
  });
  const closing = new AbortController();
  let probing: Promise<void> | null = null;
  /** Connects to the server until it answers, without waiting for a mail: the next one may come hours later. */
  const probe = async () => {
    for (let waitMs = PROBE_FIRST_MS; !closing.signal.aborted; waitMs = Math.min(PROBE_LAST_MS, waitMs * 2)) {
      try {
        await (await sharedTransport()).verify();
        return outage.answered();
      } catch (error) {
        if (closing.signal.aborted) return;
        // A server that refuses has answered.
        if (refusalOf(error as SmtpError)) return outage.answered();
        outage.failed(error);
      }
      await sleep(runtime, waitMs, closing.signal);
    }
  };
  const probeUntilAnswered = () => {
    probing ??= probe().finally(() => {
      probing = null;
    });
  };
  // A wrong address is reported soon after the start, and not only when somebody registers.
  const cancelFirstProbe = runtime.setTimer(PROBE_AFTER_START_MS, probeUntilAnswered);
  return {
    async send(mail) {
      const smtp = await sharedTransport();
      try {
        await smtp.sendMail({ from, ...mail });
      } catch (error) {
        const refusal = refusalOf(error as SmtpError);
        if (refusal) throw refusal;
        probeUntilAnswered();
        throw brokenOff(error as SmtpError, faultOf(error));
      }
    },
    async close() {
      cancelFirstProbe();
      closing.abort();
      (await transport)?.close();
    },
  };
}

const MEANING =
  'passcodes wait, so nobody can register or change an address; everything else goes on; mail is tried again for as long as its passcode is valid';
const PROBE_AFTER_START_MS = 5_000;
/** Waits between two probes of a server that is away: doubled from the first to the last. */
const PROBE_FIRST_MS = 250;
const PROBE_LAST_MS = 10_000;

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

/** The steps in which a server's reply is about the mail itself (RFC 5321 §4.2.1: 5yz is final). */
const ABOUT_THE_MAIL: ReadonlySet<string> = new Set(['MAIL FROM', 'RCPT TO', 'DATA']);

/** The server's refusal of a mail or a connection; null if the error is not a reply of the server, or is about the sign-in. */
function refusalOf({ code, command = '', responseCode, response = '' }: SmtpError): MailNotTaken | null {
  // Nodemailer itself refuses this address.
  if (code === 'EENVELOPE' && responseCode === undefined) return notTaken(true, code, 'envelope');
  if (code === 'EAUTH' || responseCode === undefined) return null;
  const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1];
  const reply = enhanced === undefined ? String(responseCode) : `${responseCode} ${enhanced}`;
  return notTaken(responseCode >= 500 && ABOUT_THE_MAIL.has(command), reply, command);
}

/** The message has only the codes of the reply, because a server's text often repeats the address. */
const notTaken = (final: boolean, reply: string, step: string) =>
  new MailNotTaken(
    `the mail server ${final ? 'refuses the mail for good' : 'does not take the mail now'}: ${reply} (${step})`,
    { final, reply },
  );

/** The error of a conversation that ended without a reply: `MailNotTaken` unless the server may have the mail. */
function brokenOff(error: SmtpError, { kind, message }: ConnectionFault): Error {
  const mayHaveTheMail = kind === 'closed' || kind === 'unknown' || error.message === SILENT_LATER;
  return mayHaveTheMail
    ? new Error(message)
    : new MailNotTaken(message, { final: false, reply: kind, away: true });
}
/** Nodemailer's message for a server that answered at first and then fell silent. */
const SILENT_LATER = 'Timeout';
