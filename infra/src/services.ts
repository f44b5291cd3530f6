import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { testDatabaseUrl } from './config.ts';
import { createLog } from './log.ts';
import { startTemporaryPostgres } from './temporaryPostgres.ts';

/**
 * What tests run against: one real PostgreSQL for a whole run, and a fresh database in it for whoever asks. It is
 * the one that `DATABASE_URL` names, or else a temporary one of our own.
 */
declare module 'vitest' {
  interface ProvidedContext {
    /** A database whose user may create others. */
    postgresAdminUrl: string;
  }
}

type Project = { provide(key: 'postgresAdminUrl', value: string): void };

/** Vitest's global setup; returns its teardown. */
export default async function setup(project: Project): Promise<(() => Promise<void>) | undefined> {
  const given = testDatabaseUrl();
  if (given) {
    project.provide('postgresAdminUrl', given);
    return undefined;
  }
  const server = await startTemporaryPostgres(createLog({ name: 'test-postgres', level: 'warn' }));
  project.provide('postgresAdminUrl', server.url);
  return () => server.stop();
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
