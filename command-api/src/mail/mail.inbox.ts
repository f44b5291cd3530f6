import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { errorsHeardElsewhere, type Log, type Runtime } from '@brokerx/infra';
import { LOOPBACK } from '@brokerx/infra/runtime/ports.ts';
import type { ParsedMail } from 'mailparser';
import type { SMTPServer } from 'smtp-server';

/**
 * The development inbox: a mail server for this machine only, in use when no real one is configured. It keeps the newest
 * mails in memory and writes each on one line of the log, so that a newcomer finds his passcode. The SMTP library is loaded
 * for the first connection, so that a start does not wait for it.
 */
export type Inbox = InboxReader & {
  /** The address for the SMTP mailer. */
  url: string;
  close(): Promise<void>;
};
export type InboxReader = {
  /** The mails, newest first. `to` is compared without regard to case. */
  mails(filter: { to?: string | undefined; limit: number }): Promise<ReceivedMail[]>;
};
export type ReceivedMail = { id: number; to: string; subject: string; text: string; receivedAtMs: number };

/** Mails in memory, a few hundred bytes each. */
export const INBOX_MAILS_MAX = 200;
const MAIL_BYTES_MAX = 64 * 1024;
const CLIENTS_MAX = 10;
const CLOSE_TIMEOUT_MS = 500;

export async function developmentInbox(options: {
  runtime: Runtime;
  log: Log;
  /** Where it takes mail. Defaults to a free port of the loopback address. */
  listen?: { host: string; port: number };
}): Promise<Inbox> {
  const { runtime, log, listen = { host: LOOPBACK, port: 0 } } = options;
  const mails: ReceivedMail[] = [];
  let received = 0;
  const keep = (mail: ParsedMail, recipients: string[]) => {
    for (const to of recipients) {
      received += 1;
      const { subject = '', text = '' } = mail;
      mails.unshift({ id: received, to, subject, text: text.trim(), receivedAtMs: runtime.nowMs() });
      log.info(`mail to ${to}: ${subject} | ${text.replaceAll(/\s+/g, ' ').trim()}`);
    }
    mails.length = Math.min(mails.length, INBOX_MAILS_MAX);
  };
  let server: Promise<SMTPServer> | null = null;
  const listener = createServer((socket) => {
    // The sender may reset the connection before the SMTP library is loaded.
    errorsHeardElsewhere(socket);
    server ??= smtpServer(keep, log);
    server.then(
      ({ server: smtp }) => smtp.emit('connection', socket),
      (err: unknown) => {
        log.error({ err }, 'the development inbox cannot take mail');
        socket.destroy();
      },
    );
  });
  listener.listen(listen.port, listen.host);
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  return {
    url: `smtp://${LOOPBACK}:${port}`,
    async mails({ to, limit }) {
      const recipient = to?.trim().toLowerCase();
      return mails
        .filter((mail) => recipient === undefined || mail.to.toLowerCase() === recipient)
        .slice(0, limit);
    },
    async close() {
      listener.close();
      const smtp = await server;
      if (smtp) await new Promise<void>((resolve) => smtp.close(() => resolve()));
    },
  };
}

/** An SMTP server that does not listen: it is given its connections. */
async function smtpServer(
  keep: (mail: ParsedMail, recipients: string[]) => void,
  log: Log,
): Promise<SMTPServer> {
  const [{ simpleParser }, { SMTPServer: Server }] = await Promise.all([
    import('mailparser'),
    import('smtp-server'),
  ]);
  const server = new Server({
    disabledCommands: ['AUTH', 'STARTTLS'],
    size: MAIL_BYTES_MAX,
    maxClients: CLIENTS_MAX,
    closeTimeout: CLOSE_TIMEOUT_MS,
    banner: 'BrokerX development inbox',
    onData(stream, session, done) {
      const recipients = session.envelope.rcptTo.map(({ address }) => address);
      simpleParser(stream).then(
        (mail) => {
          keep(mail, recipients);
          done();
        },
        (error: Error) => done(error),
      );
    },
  });
  server.on('error', (err) => log.warn({ err }, 'the development inbox met an error'));
  return server;
}
