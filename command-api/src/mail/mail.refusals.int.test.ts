import { createServer, type Server, type Socket } from 'node:net';
import { LOOPBACK } from '@brokerx/infra/runtime/ports.ts';
import { realRuntime } from '@brokerx/infra/runtime/runtime.ts';
import { afterEach, expect, test } from 'vitest';
import { smtpMailer } from './mail.smtp.ts';
import { MailNotTaken } from './mail.ts';

/** How each reply of a mail server, in each step of the conversation, is understood: real sockets, one line each way. */
const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise<void>((closed) => server.close(() => closed()));
});

type Step = 'greeting' | 'EHLO' | 'MAIL' | 'RCPT' | 'DATA' | 'end of the mail';
const USUAL: Readonly<Record<Step, string>> = {
  greeting: '220 here',
  EHLO: '250 here',
  MAIL: '250 2.1.0 ok',
  RCPT: '250 2.1.5 ok',
  DATA: '354 go on',
  'end of the mail': '250 2.0.0 taken',
};

/** A server with other replies in some steps. `hang up` closes the connection instead of a reply. */
async function serverThat(replies: Partial<Record<Step, string>>): Promise<string> {
  const answer = (socket: Socket, step: Step) => {
    const line = replies[step] ?? USUAL[step];
    if (line === 'hang up') socket.destroy();
    else socket.write(`${line}\r\n`);
  };
  const server = createServer((socket) => {
    let inMail = false;
    let rest = '';
    answer(socket, 'greeting');
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      const lines = `${rest}${bytes}`.split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const word = line.slice(0, 4).toUpperCase();
        if (inMail) {
          if (line !== '.') continue;
          inMail = false;
          answer(socket, 'end of the mail');
        } else if (word === 'EHLO' || word === 'MAIL' || word === 'RCPT') {
          answer(socket, word);
        } else if (word === 'DATA') {
          inMail = (replies.DATA ?? USUAL.DATA).startsWith('354');
          answer(socket, 'DATA');
        } else {
          socket.end('221 bye\r\n');
        }
      }
    });
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, LOOPBACK, listening));
  return `smtp://${LOOPBACK}:${(server.address() as { port: number }).port}`;
}

const CANARY = 'canary.bird@example.com';
async function failureOf(url: string, to = CANARY): Promise<unknown> {
  const mailer = smtpMailer({ url, from: 'BrokerX <no-reply@brokerx.test>', runtime: realRuntime });
  try {
    await mailer.send({ to, subject: '123456 is a secret', text: 'x' });
    return null;
  } catch (error) {
    expect(`${(error as Error).stack} ${JSON.stringify(error)}`).not.toMatch(/canary|123456/);
    return error;
  } finally {
    await mailer.close();
  }
}

test('a server that does as usual has the mail', async () => {
  expect(await failureOf(await serverThat({}))).toBeNull();
});

test.for([
  ['RCPT', `550 5.1.1 <${CANARY}> no such user`, true, '550 5.1.1'],
  ['RCPT', '553 not here', true, '553'],
  ['MAIL', '552 5.3.4 too big', true, '552 5.3.4'],
  ['DATA', '554 5.5.1 no', true, '554 5.5.1'],
  ['end of the mail', `554 5.7.1 ${CANARY} is not wanted`, true, '554 5.7.1'],
  ['RCPT', `450 4.2.0 <${CANARY}> greylisted`, false, '450 4.2.0'],
  ['MAIL', '451 4.3.0 later', false, '451 4.3.0'],
  ['DATA', '451 later', false, '451'],
  ['end of the mail', '452 4.3.1 full', false, '452 4.3.1'],
  // A refusal of the sender is not about the mail, and somebody may mend it, so it is not final.
  ['greeting', '554 5.7.1 not you', false, '554 5.7.1'],
] as const)('%s answered by %s: final %s', async ([step, line, final, reply]) => {
  const error = await failureOf(await serverThat({ [step]: line }));
  expect(error).toBeInstanceOf(MailNotTaken);
  expect(error).toMatchObject({ final, reply });
});

test('a server that nobody reaches certainly has no mail', async () => {
  const url = await serverThat({});
  for (const server of servers.splice(0)) await new Promise<void>((closed) => server.close(() => closed()));
  expect(await failureOf(url)).toMatchObject({ name: 'MailNotTaken', final: false, reply: 'nobody listens' });
});

test('a server that hangs up instead of an answer may have the mail', async () => {
  const error = await failureOf(await serverThat({ 'end of the mail': 'hang up' }));
  expect(error).toBeInstanceOf(Error);
  expect(error).not.toBeInstanceOf(MailNotTaken);
});

test('an address in another script is named as the server announces to take it', async () => {
  expect(
    await failureOf(await serverThat({ EHLO: '250-here\r\n250 SMTPUTF8' }), 'почта@xn--e1afmkfd.xn--p1ai'),
  ).toBeNull();
});
