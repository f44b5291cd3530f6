import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { createLog } from '../runtime/log.ts';
import type { NoServer, ServerForTests } from './serverForTests.ts';
import { eventStoreDbForTests } from './testServers.eventstoredb.ts';
import { kafkaForTests } from './testServers.kafka.ts';
import { nginxForTests } from './testServers.nginx.ts';
import { postgresForTests } from './testServers.postgres.ts';
import { redisForTests } from './testServers.redis.ts';

/**
 * Chooses the servers that a test run uses: for each kind the one whose address is in the environment, or else one started for
 * the run. If a kind of server is unavailable, a loud message says so and its tests are skipped.
 */
declare module 'vitest' {
  interface ProvidedContext {
    /** A database whose user may create others. */
    postgresAdminUrl: string;
    /** EventStoreDB or KurrentDB, which other tests may use at the same time; null: there is none here. */
    eventStoreUrl: string | null;
    /** `host:port` of Kafka brokers, separated by commas; null: there is no Kafka here. */
    kafkaBrokers: string | null;
    /** Folder of Kafka's jars, for tests that stop and kill a broker of their own; null: there is no Java or no Maven. */
    kafkaJars: string | null;
    /** A Redis that all test files share; a test that flushes or kills one starts its own. Null: there is no Redis here. */
    redisUrl: string | null;
    /** The command that starts nginx; null: there is no nginx here. */
    nginx: string | null;
  }
}

type Project = Pick<import('vitest/node').TestProject, 'provide' | 'globTestFiles' | 'vitest'>;

/** Vitest's global setup; returns its teardown. */
export default async function setup(project: Project): Promise<() => Promise<void>> {
  const log = createLog({ name: 'test-services', level: 'warn' });
  const [postgres, eventStoreDb, kafka, redis] = await Promise.all([
    postgresForTests(log),
    eventStoreDbForTests(log),
    isMentioned(project, 'kafka').then((wanted) => (wanted ? kafkaForTests(log) : null)),
    redisForTests(log),
  ]);
  project.provide('postgresAdminUrl', postgres.address);
  project.provide('eventStoreUrl', addressOf('EventStoreDB server', eventStoreDb));
  project.provide('kafkaBrokers', kafka && addressOf('Kafka', kafka.server));
  project.provide('kafkaJars', kafka && kafka.jars);
  project.provide('redisUrl', addressOf('Redis', redis));
  project.provide('nginx', addressOf('nginx', nginxForTests()));
  return async () => {
    for (const server of [redis, kafka?.server, eventStoreDb, postgres])
      if (server && 'stop' in server) await server.stop();
  };
}

/**
 * Whether a test file of this run contains the word: servers that start slowly and need much memory are started only then.
 * Vitest's list of requested files is no part of its API; if it is missing, all files count.
 */
async function isMentioned(project: Project, word: string): Promise<boolean> {
  const { filenamePattern } = project.vitest as { filenamePattern?: string[] };
  const { testFiles } = await project.globTestFiles(filenamePattern);
  return testFiles.some((file) => readFileSync(file, 'utf8').toLowerCase().includes(word));
}

function addressOf(name: string, server: ServerForTests | NoServer): string | null {
  if ('address' in server) return server.address;
  process.stderr.write(`\nNO ${name.toUpperCase()}: its tests are skipped. ${server.missing}\n\n`);
  return null;
}

export type FreshDatabase = {
  url: string;
  /** Ends the database's sessions and removes it. */
  drop(): Promise<void>;
};

/** Creates an empty database for one test. Call it inside a test or hook, and drop the database afterwards. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const { inject } = await import('vitest');
  const adminUrl = inject('postgresAdminUrl');
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administer(adminUrl, `create database ${name}`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => administer(adminUrl, `drop database if exists ${name} with (force)`) };
}

async function administer(adminUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
