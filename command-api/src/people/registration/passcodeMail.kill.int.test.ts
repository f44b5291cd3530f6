import { randomUUID } from 'node:crypto';
import { type FreshDatabase, freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CommandApiProcess, commandApiOf } from '../../../test/commandApiProcess.ts';
import { eventually, mailServer } from '../../../test/peopleWorld.ts';

/** A command-api that is killed again and again mails each passcode once, whenever it is killed. */
let database: FreshDatabase;
let mail: Awaited<ReturnType<typeof mailServer>>;
let start: () => Promise<CommandApiProcess>;
const running = new Set<CommandApiProcess>();
beforeEach(async () => {
  [database, mail] = await Promise.all([freshDatabase(), mailServer()]);
  const launch = commandApiOf({ DATABASE_URL: database.url, SMTP_URL: mail.url });
  start = async () => {
    const api = await launch();
    running.add(api);
    return api;
  };
});
afterEach(async () => {
  for (const api of running) await api.kill();
  running.clear();
  await mail.close();
  await database.drop();
});

const kill = async (api: CommandApiProcess) => {
  running.delete(api);
  await api.kill();
};
const post = async ({ url }: CommandApiProcess, path: string, body?: object) => {
  const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() };
  const reply = await fetch(url + path, {
    method: 'POST',
    headers,
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return (await reply.json()) as { registration_id: string; status: string };
};
const register = (api: CommandApiProcess, email: string) =>
  post(api, '/v1/registrations', {
    name: 'Ann Example',
    address: '1 Example Street',
    birth_date: '1990-04-01',
    email,
    phone: '+15145550123',
    password: 'walnut ferry copper lantern',
  });
const arrived = (email: string, count = 1) =>
  eventually(() => (mail.to(email).length >= count ? mail.to(email) : undefined));
const codeIn = (text = '') => /\b\d{6}\b/.exec(text)?.[0] ?? '';

test('a passcode is mailed once, though the process is killed before it hears that the mail was taken', async () => {
  const ids: string[] = [];
  for (let round = 0; round < 3; round++) {
    const api = await start();
    mail.beSilent(round === 1);
    ids.push((await register(api, `ann${round}@example.com`)).registration_id);
    await arrived(`ann${round}@example.com`);
    await kill(api);
  }
  mail.beSilent(false);
  const api = await start();
  // When a later client has his mail, the process has gone through the earlier ones.
  await register(api, 'last@example.com');
  await arrived('last@example.com');
  for (let round = 0; round < 3; round++) expect(mail.to(`ann${round}@example.com`).length).toBe(1);

  // The mail that arrived is good, and whoever waits in vain asks for another.
  const [first, second] = ids;
  await post(api, `/v1/registrations/${second}/passcode`);
  const letters = await arrived('ann1@example.com', 2);
  const verify = async (id: string | undefined, text: string | undefined) =>
    (await post(api, `/v1/registrations/${id}/verification`, { code: codeIn(text) })).status;
  expect(await verify(second, letters[1]?.text)).toBe('verified');
  expect(await verify(first, mail.to('ann0@example.com')[0]?.text)).toBe('verified');
  // No passcode reached a log.
  const codes = mail.mails.map(({ text }) => codeIn(text)).filter((code) => code !== '');
  for (const code of codes) expect(api.logged.join('\n')).not.toContain(code);
}, 180_000);
