import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

/**
 * Somebody waits for a process that was killed, so its start loads what it uses then and nothing else. Each service is started
 * without its configuration, which it reads when everything it imports is loaded.
 */
const root = resolve(import.meta.dirname, '../..');
const EXIT_USAGE = 2;

/** What a start has no use for: other servers' clients are loaded where one is configured, the rest at first use. */
const LATER = [
  '@eventstore/db-client',
  '@opentelemetry/sdk-node',
  '@scalar/fastify-api-reference',
  'ioredis',
  'kafkajs',
  'mailparser',
  'nodemailer',
  'smtp-server',
];
/** What only an API has. */
const OF_APIS = ['fastify', 'jose', 'undici', 'ws'];

test.for([
  ['matching-engine', [...LATER, ...OF_APIS]],
  ['projectors', [...LATER, ...OF_APIS]],
  ['command-api', LATER],
  ['query-api', LATER],
] as const)('%s loads at its start only what it uses then', ([service, needless]) => {
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--import', join(root, 'infra/test/loadedPackages.ts'), join(root, service, 'src/main.ts')],
    { encoding: 'utf8', env: { PATH: process.env.PATH } },
  );
  expect(status, stderr).toBe(EXIT_USAGE);
  const loaded = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '') as string[];
  expect(loaded).toContain('pg');
  expect(needless.filter((name) => loaded.includes(name))).toEqual([]);
});
