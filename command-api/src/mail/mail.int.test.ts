import { once } from 'node:events';
import { connect } from 'node:net';
import { createLog, createMetrics, errorsHeardElsewhere, type Http, realRuntime } from '@brokerx/infra';
import { bearerAuth } from '@brokerx/infra/auth/auth.ts';
import { buildHttp } from '@brokerx/infra/http/http.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inboxRoutes } from './inboxRoutes.ts';
import { developmentInbox, INBOX_MAILS_MAX, type Inbox } from './mail.inbox.ts';
import { remoteInbox } from './mail.remoteInbox.ts';
import { smtpMailer } from './mail.smtp.ts';
import type { Mailer } from './mail.ts';

/** Mail from the mailer to the development inbox, over a real SMTP conversation, and read as a client reads it. */
const logged: string[] = [];
let inbox: Inbox;
let mailer: Mailer;
let app: Http;
beforeEach(async () => {
  logged.length = 0;
  const log = createLog({
    name: 'test',
    level: 'info',
    destination: { write: (line: string) => void logged.push(line) },
  });
  inbox = await developmentInbox({ runtime: realRuntime, log });
  mailer = smtpMailer({ url: inbox.url, from: 'BrokerX <no-reply@brokerx.test>', runtime: realRuntime });
  app = await buildHttp({
    title: 'Mail',
    version: 'test',
    log,
    metrics: createMetrics('test', 'test'),
    ready: async () => ({}),
    authenticate: bearerAuth({ verify: () => 'invalid' }),
  });
  inboxRoutes(app, inbox);
  await app.ready();
});
afterEach(async () => {
  await app.close();
  await mailer.close();
  await inbox.close();
});

const read = async (query = '') => (await app.inject({ url: `/dev/inbox${query}` })).json().items;

test('senders that are gone before the inbox hears of them, or in the middle of a mail, cost nobody else theirs', async () => {
  const head = 'EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n';
  // At the very first connection the SMTP library is not loaded yet.
  for (const text of ['', 'EH', head, `${head}DATA\r\nSubject: half`]) {
    const socket = errorsHeardElsewhere(connect(Number(new URL(inbox.url).port), '127.0.0.1'));
    await once(socket, 'connect');
    if (text) {
      socket.write(text);
      await once(socket, 'data');
    }
    socket.resetAndDestroy();
  }
  await mailer.send({ to: 'ann@example.com', subject: 'One', text: 'Hello' });
  expect((await read()).map(({ subject }: { subject: string }) => subject)).toEqual(['One']);
});

test('a mail is there as it was sent, newest first, by recipient, and on one line of the log', async () => {
  await mailer.send({ to: 'ann@example.com', subject: 'One', text: 'Your passcode is 123456.\nÉté.' });
  await mailer.send({ to: 'bob@example.com', subject: 'Two', text: 'Hello' });
  expect(await read()).toEqual([
    { id: 2, to: 'bob@example.com', subject: 'Two', text: 'Hello', received_at: expect.any(String) },
    {
      id: 1,
      to: 'ann@example.com',
      subject: 'One',
      text: 'Your passcode is 123456.\nÉté.',
      received_at: expect.any(String),
    },
  ]);
  expect((await read('?to=ANN@example.com')).map(({ id }: { id: number }) => id)).toEqual([1]);
  expect((await read('?limit=1')).map(({ id }: { id: number }) => id)).toEqual([2]);
  expect(
    logged.filter((line) => line.includes('mail to ann@example.com: One | Your passcode is 123456.')).length,
  ).toBe(1);
});

test('only the newest are kept', async () => {
  for (let i = 1; i <= INBOX_MAILS_MAX + 5; i++) {
    await mailer.send({ to: 'ann@example.com', subject: `Mail ${i}`, text: 'x' });
  }
  const mails = await read(`?limit=${INBOX_MAILS_MAX}`);
  expect(mails.length).toBe(INBOX_MAILS_MAX);
  expect(mails.at(-1).subject).toBe('Mail 6');
});

test('a browser gets a page, in which nothing that was mailed runs', async () => {
  await mailer.send({ to: 'ann@example.com', subject: '<script>alert(1)</script>', text: '"a" & <b>' });
  const reply = await app.inject({ url: '/dev/inbox', headers: { accept: 'text/html,*/*' } });
  expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
  expect(reply.headers['content-security-policy']).toContain("default-src 'none'");
  expect(reply.body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  expect(reply.body).not.toContain('<script>');
});

test('a mail that the server does not take is told to the sender', async () => {
  await expect(mailer.send({ to: 'no address', subject: 'x', text: 'y' })).rejects.toThrow();
  await inbox.close();
  const late = smtpMailer({ url: inbox.url, from: 'no-reply@brokerx.test', runtime: realRuntime });
  await expect(late.send({ to: 'ann@example.com', subject: 'x', text: 'y' })).rejects.toThrow();
  await late.close();
});

test('a command-api without an inbox of its own shows that of another one', async () => {
  await mailer.send({ to: 'ann@example.com', subject: 'One', text: 'first' });
  await mailer.send({ to: 'bob@example.com', subject: 'Two', text: 'second' });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const remote = remoteInbox({ url, runtime: realRuntime });
  expect(await remote.mails({ limit: 20 })).toEqual(await inbox.mails({ limit: 20 }));
  expect(await remote.mails({ to: 'bob@example.com', limit: 20 })).toHaveLength(1);
  await app.close();
  await expect(remote.mails({ limit: 20 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
