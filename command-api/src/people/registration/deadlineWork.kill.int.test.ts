import { randomUUID } from 'node:crypto';
import { type FreshDatabase, freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CommandApiProcess, commandApiOf } from '../../../test/commandApiProcess.ts';
import { eventually, mailServer } from '../../../test/peopleWorld.ts';

/** command-apis that are killed again and again remind once, and end each registration once and wholly. */
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
let database: FreshDatabase;
let mail: Awaited<ReturnType<typeof mailServer>>;
let client: pg.Client;
let start: (given: { aheadMs: number }) => Promise<CommandApiProcess>;
const running = new Set<CommandApiProcess>();
beforeEach(async () => {
  [database, mail] = await Promise.all([freshDatabase(), mailServer()]);
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const launch = commandApiOf({ DATABASE_URL: database.url, SMTP_URL: mail.url });
  start = async (given) => {
    const api = await launch(given);
    running.add(api);
    return api;
  };
});
afterEach(async () => {
  for (const api of running) await kill(api);
  await mail.close();
  await client.end();
  await database.drop();
});

const kill = async (api: CommandApiProcess) => {
  running.delete(api);
  await api.kill();
};
const register = async ({ url }: CommandApiProcess, email: string) => {
  const reply = await fetch(`${url}/v1/registrations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
    body: JSON.stringify({
      name: 'Ann Example',
      address: '1 Example Street',
      birth_date: '1990-04-01',
      email,
      phone: '+15145550123',
      password: 'walnut ferry copper lantern',
    }),
  });
  expect(reply.status).toBe(202);
};
const count = async (query: string) =>
  Number((await client.query(`select count(*) as n from ${query}`)).rows[0].n);
const recorded = (type: string) => count(`store.commit where strpos(body, '"${type}"') > 0`);
const keysLeft = () => count('vault.client_key where wrapped is not null');
const until = (holds: () => boolean | Promise<boolean>) =>
  eventually(async () => ((await holds()) ? true : undefined));

test('a reminder is mailed once and a registration ends once, though the process is killed at each of its steps', async () => {
  const emails = Array.from({ length: 8 }, (_, i) => `ann${i}@example.com`);
  const first = await start({ aheadMs: 0 });
  for (const email of emails) await register(first, email);
  await until(() => emails.every((email) => mail.to(email).length === 1));
  await kill(first);

  // An hour before the end: killed while the mail server has a mail but has not confirmed it.
  mail.beSilent(true);
  const reminding = await start({ aheadMs: 23 * HOUR_MS + MINUTE_MS });
  await until(() => emails.some((email) => mail.to(email).length === 2));
  await kill(reminding);
  mail.beSilent(false);
  const again = await start({ aheadMs: 23 * HOUR_MS + 2 * MINUTE_MS });
  await until(async () => (await recorded('RegistrationReminderBegun.v1')) === emails.length);
  await kill(again);

  // After the end: killed as soon as one end is recorded, whether or not its key has been destroyed.
  for (let ends = 0; ends < 2; ends++) {
    const ending = await start({ aheadMs: 24 * HOUR_MS + (11 + ends) * MINUTE_MS });
    await until(async () => (await recorded('RegistrationExpired.v1')) > ends);
    await kill(ending);
  }
  const last = await start({ aheadMs: 25 * HOUR_MS });
  await until(async () => (await keysLeft()) === 0);
  expect(await recorded('RegistrationExpired.v1')).toBe(emails.length);
  expect(await recorded('RegistrationReminderBegun.v1')).toBe(emails.length);
  for (const email of emails) expect(mail.to(email).length).toBeLessThanOrEqual(2);
  await register(last, 'ann0@example.com');
  expect(await keysLeft()).toBe(1);
}, 300_000);
