import { errorsHeardElsewhere } from '@brokerx/infra';
import { LOOPBACK } from '@brokerx/infra/runtime/ports.ts';
import { realRuntime } from '@brokerx/infra/runtime/runtime.ts';
import {
  type TemporaryCertificate,
  type TemporaryCertificates,
  temporaryCertificates,
} from '@brokerx/infra/servers/temporaryCertificates.ts';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { smtpMailer } from './mail.smtp.ts';

/** Mail to servers that speak TLS, by name and by address, and the errors where no conversation comes about. */
const SECRET = 'a-secret-nobody-may-read';
let certificates: TemporaryCertificates;
beforeAll(async () => {
  certificates = await temporaryCertificates();
});
afterAll(() => certificates.remove());

/** A mail server with this certificate, or without TLS; `use` is given its port. */
async function served(pair: TemporaryCertificate | null, use: (port: number) => Promise<void>) {
  const server = new SMTPServer({
    ...(pair ? { secure: true, key: pair.key, cert: pair.certificate } : { disabledCommands: ['STARTTLS'] }),
    authOptional: true,
    authMethods: ['PLAIN'],
    onAuth: ({ password }, _session, done) =>
      password === SECRET ? done(null, { user: 'brokerx' }) : done(new Error('Invalid username or password')),
  });
  // A handshake that the client gives up is told to the server, too.
  errorsHeardElsewhere(server);
  const listening = Promise.withResolvers<void>();
  server.listen(0, LOOPBACK, listening.resolve);
  await listening.promise;
  try {
    await use((server.server.address() as { port: number }).port);
  } finally {
    const closed = Promise.withResolvers<void>();
    server.close(closed.resolve);
    await closed.promise;
  }
}

/** Sends a mail; null if it was taken, else the error's one line. */
async function errorOfSending(url: string): Promise<string | null> {
  const mailer = smtpMailer({ url, from: 'BrokerX <no-reply@brokerx.test>', runtime: realRuntime });
  try {
    await mailer.send({ to: 'ann@example.com', subject: 'Hello', text: 'Hello' });
    return null;
  } catch (error) {
    const { message } = error as Error;
    expect(message).not.toContain(SECRET);
    return message;
  } finally {
    await mailer.close();
  }
}

test.each(['localhost', LOOPBACK])(
  'a certificate of an authority of its own is taken for %s where it is trusted',
  async (host) => {
    await served(certificates.good, async (port) => {
      const url = `smtps://brokerx:${SECRET}@${host}:${port}`;
      expect(await errorOfSending(url)).toMatch(
        /^SMTP_URL .*authority that is not known here\. .*NODE_EXTRA_CA_CERTS/,
      );
      const distrust = certificates.trust();
      expect(await errorOfSending(url)).toBeNull();
      distrust();
    });
  },
);

test('another name, an old certificate, a wrong password and the wrong protocol are each told', async () => {
  const distrust = certificates.trust();
  await served(certificates.otherName, async (port) => {
    expect(await errorOfSending(`smtps://localhost:${port}`)).toMatch(/another name: DNS:other\.example/);
  });
  await served(certificates.expired, async (port) => {
    expect(await errorOfSending(`smtps://localhost:${port}`)).toMatch(/has expired/);
  });
  await served(certificates.good, async (port) => {
    expect(await errorOfSending(`smtps://brokerx:wrong@localhost:${port}`)).toMatch(
      /does not let this user in/,
    );
  });
  await served(null, async (port) => {
    expect(await errorOfSending(`smtps://localhost:${port}`)).toMatch(/does not speak TLS\. .*smtp:\/\//);
  });
  distrust();
});
