import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { createLog } from './log.ts';
import { eventStoreDbForTests } from './services.eventstoredb.ts';
import { kafkaForTests } from './services.kafka.ts';
import { postgresForTests } from './services.postgres.ts';
import { redisForTests } from './services.redis.ts';

/**
 * What tests run against, decided once for a whole run: each server is the one whose address the environment gives, or
 * else one that is started for the run. A kind of server that is not to be had is said loudly, and its tests are skipped.
 */
declare module 'vitest' {
  interface ProvidedContext {
    /** A database whose user may create others. */
    postgresAdminUrl: string;
    /** EventStoreDB or KurrentDB, which others may use at the same time; null: there is none here. */
    eventStoreUrl: string | null;
    /** `host:port` of Kafka brokers, separated by commas; null: there is no Kafka here. */
    kafkaBrokers: string | null;
    /** Of a Redis that tests may flush; null: there is no Redis here. */
    redisUrl: string | null;
  }
}

type Project = Pick<import('vitest/node').TestProject, 'provide'>;

/** A server for a run. */
export type ServerForTests = { address: string; stop(): Promise<void> };
/** Why there is none, and what to do to have one. */
export type NoServer = { missing: string };

/** Vitest's global setup; returns its teardown. */
export default async function setup(project: Project): Promise<() => Promise<void>> {
  const log = createLog({ name: 'test-services', level: 'warn' });
  const [postgres, eventStoreDb, kafka, redis] = await Promise.all([
    postgresForTests(log),
    eventStoreDbForTests(log),
    kafkaForTests(log),
    redisForTests(log),
  ]);
  project.provide('postgresAdminUrl', postgres.address);
  project.provide('eventStoreUrl', addressOf('EventStoreDB server', eventStoreDb));
  project.provide('kafkaBrokers', addressOf('Kafka', kafka));
  project.provide('redisUrl', addressOf('Redis', redis));
  return async () => {
    for (const server of [redis, kafka, eventStoreDb, postgres]) if ('stop' in server) await server.stop();
  };
}

function addressOf(name: string, server: ServerForTests | NoServer): string | null {
  if ('address' in server) return server.address;
  process.stderr.write(`\nNO ${name.toUpperCase()}: its tests are skipped. ${server.missing}\n\n`);
  return null;
}

export type FreshDatabase = {
  url: string;
  /** Ends its sessions and removes it. */
  drop(): Promise<void>;
};

/** An empty database of the test's own. Call inside a test or hook; drop it afterwards. */
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
