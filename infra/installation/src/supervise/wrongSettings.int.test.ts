import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { newSecrets } from './secrets.ts';
import { wrongSettings } from './wrongSettings.ts';

/** Every variable that `.env.example` explains and a service reads: a wrong value of it is named before anything starts. */
const root = resolve(import.meta.dirname, '../../../..');
const explained = [
  ...readFileSync(join(root, '.env.example'), 'utf8').matchAll(/^([A-Z][A-Z0-9_]+)=(.*)$/gm),
].map(([, name = '', value = '']) => ({ name, value }));

/** No port, count, address, list, word or key. */
const WRONG = 'no such thing';
/** Any text is right. */
const FREE = ['KAFKA_USERNAME', 'KAFKA_PASSWORD', 'DATABASE_FOLDER', 'TRADERS_STATE'];
/** `brokerx start` takes these as options, decides them itself, or gives each service its own. */
const OF_THE_START =
  /^(BROKERX_(MODE|DATA|COMMAND_APIS|ENGINES|PROJECTORS|QUERY_APIS|INSTANCE|OPENING)|(COMMAND|QUERY)_API_(PORT|URL)|HOST|HEALTH_PORT|AUTH_JWKS_URL|TRADERS_STATE)$/;
/** Read by commands and processes of their own, which refuse them alike. */
const OF_OTHERS = /^(GATEWAY_|INBOX_(SMTP_)?PORT$|[A-Z_]+_DATABASE_PASSWORD$)/;
const read = explained
  .map(({ name }) => name)
  .filter((name) => !FREE.includes(name) && !OF_THE_START.test(name) && !OF_OTHERS.test(name));

const told = (env: Record<string, string>, mode: 'development' | 'production' = 'development') =>
  wrongSettings({ root, env, mode, traders: mode === 'development' });

test('all that are wrong are named in one list, each once, with its rule and what to do', async () => {
  const env = Object.fromEntries(read.map((name) => [name, name === 'OPERATOR_PASSWORD' ? 'short' : WRONG]));
  const problems = await told(env);
  expect(problems.map(({ variable }) => variable).toSorted()).toEqual(read.toSorted());
  for (const { variable, rule, remedy } of problems) {
    expect(rule, variable).toMatch(/\S/);
    expect(remedy, variable).toMatch(/\S/);
  }
});

test('a value is repeated where it cannot be a secret', async () => {
  const problems = await told({
    LOG_LEVEL: 'loud',
    SMTP_URL: 'mail:secret@host',
    STREAMS_PER_ACCOUNT_MAX: '0',
  });
  const rules = Object.fromEntries(problems.map(({ variable, rule }) => [variable, rule]));
  expect(rules).toEqual({
    LOG_LEVEL: expect.stringMatching(/ \(it is "loud"\)$/),
    SMTP_URL: 'must begin with smtp:// or smtps://',
    STREAMS_PER_ACCOUNT_MAX: expect.stringMatching(/ \(it is "0"\)$/),
  });
});

test.for([
  ['half an operator', { OPERATOR_EMAIL: 'ann@example.com' }, 'development', ['OPERATOR_EMAIL']],
  ['no mail in production', {}, 'production', ['SMTP_URL']],
  [
    'a user of Kafka without a password',
    { KAFKA_SASL_MECHANISM: 'plain', KAFKA_USERNAME: 'ann' },
    'development',
    ['KAFKA_PASSWORD'],
  ],
  [
    'production with an inbox',
    { SMTP_URL: 'smtp://mail', DEV_INBOX_URL: 'http://127.0.0.1:1' },
    'production',
    ['DEV_INBOX_URL'],
  ],
  [
    'a reminder after the end',
    { REGISTRATION_OPEN_SECONDS: '60', REGISTRATION_REMINDER_SECONDS: '60' },
    'development',
    ['REGISTRATION_REMINDER_SECONDS'],
  ],
] as const)('%s: what does not go together', async ([, env, mode, names]) => {
  const problems = await told({ ...env }, mode);
  expect(problems.map(({ variable }) => variable)).toEqual(names);
});

test('what is explained is right, and so is what an installation makes up', async () => {
  const shown = Object.fromEntries(explained.map(({ name, value }) => [name, value]));
  expect(await told({ ...shown, ...newSecrets() })).toEqual([]);
  expect(await told({})).toEqual([]);
});
