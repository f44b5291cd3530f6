import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { NoConnection, shownServer } from '../runtime/connectionFault.ts';
import { errorsHeardElsewhere } from '../runtime/mayFail.ts';
import { StartRefused } from '../runtime/shutdown.ts';
import { CONNECT_TIMEOUT_MS, postgresSpeaksTls } from './postgres.ts';

/**
 * Applies the numbered SQL files of a folder (`0001_name.sql`, …) once each, in order, each in one transaction with the note
 * that it was applied. Any number of processes may call this at once. Applied files never change: one that was edited, removed
 * or inserted before an applied one is an error.
 */
export async function migrate(options: {
  databaseUrl: string;
  /** Folder of the SQL files. */
  directory: string | URL;
  /** The name of this set of migrations: a database has several sets. */
  name: string;
}): Promise<{ applied: string[] }> {
  const files = await readMigrations(options.directory);
  const client = new pg.Client({
    connectionString: options.databaseUrl,
    application_name: `brokerx migrate ${options.name}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  errorsHeardElsewhere(client);
  await client.connect().catch((error: unknown) => {
    throw noDatabase(options, error);
  });
  try {
    // Most starts have nothing to apply: then a role with the right to read is enough.
    const applied = await appliedFiles(client, options.name);
    if (applied && missingOf(options.name, files, applied).length === 0) return { applied: [] };
    // A statement of its own, so that the next one reads what others applied during the wait.
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    return { applied: await applyMissing(client, options.name, files) };
  } catch (error) {
    throw mayNot(error) ? new StartRefused(NO_RIGHT, { cause: error }) : error;
  } finally {
    await client.end();
  }
}

/** Explains to a person why a process's first connection to its database failed. */
const noDatabase = ({ databaseUrl }: { databaseUrl: string }, error: unknown) =>
  new NoConnection('DATABASE_URL', error, {
    tls: postgresSpeaksTls(databaseUrl),
    shown: shownServer(databaseUrl),
  });

/** Whether the error, or its cause, is 42501: insufficient privilege. */
const mayNot = (error: unknown): boolean =>
  error instanceof Error && ((error as { code?: unknown }).code === '42501' || mayNot(error.cause));
const NO_RIGHT =
  'DATABASE_URL: tables of this version are missing, and this user may not make them. ' +
  'Run `brokerx database prepare` with the address of the owner first (`brokerx start` does so by itself).';

export class MigrationMismatch extends Error {
  override name = 'MigrationMismatch';
}

type Migration = { file: string; sql: string; checksum: string };

/** The lock's key, an arbitrary number that nobody else uses. The lock ends with the session. */
const MIGRATION_LOCK = 6_270_114_001;

async function applyMissing(client: pg.Client, name: string, files: Migration[]): Promise<string[]> {
  await client.query('create schema if not exists migration');
  await client.query(`
    create table if not exists migration.applied (
      name text not null,
      file text not null,
      checksum text not null,
      applied_at timestamptz not null default clock_timestamp(),
      primary key (name, file)
    )`);
  const missing = missingOf(name, files, (await appliedFiles(client, name)) ?? []);
  for (const { file, sql, checksum } of missing) {
    try {
      await client.query('begin');
      await client.query(sql);
      await client.query('insert into migration.applied (name, file, checksum) values ($1, $2, $3)', [
        name,
        file,
        checksum,
      ]);
      await client.query('commit');
    } catch (error) {
      throw new Error(`${name}: ${file} failed`, { cause: error });
    }
  }
  return missing.map(({ file }) => file);
}

type Applied = { file: string; checksum: string };

/** The applied files of a set, in order; null if nothing was ever applied to this database. */
async function appliedFiles(client: pg.Client, name: string): Promise<Applied[] | null> {
  const { rows: found } = await client.query<{ table: string | null }>(
    "select to_regclass('migration.applied') as table",
  );
  if (!found[0]?.table) return null;
  const { rows } = await client.query<Applied>(
    'select file, checksum from migration.applied where name = $1 order by file collate "C"',
    [name],
  );
  return rows;
}

/** The files still to be applied. Throws if the applied ones are not the first of the files, unchanged. */
function missingOf(
  name: string,
  files: readonly Migration[],
  applied: readonly Applied[],
): readonly Migration[] {
  applied.forEach(({ file: done, checksum }, i) => {
    const file = files[i];
    if (!files.some((other) => other.file === done)) {
      throw new MigrationMismatch(`${name}: ${done} was applied here but its file is missing`);
    }
    if (file?.file !== done) {
      throw new MigrationMismatch(`${name}: ${file?.file} comes before ${done}, which is applied already`);
    }
    if (file.checksum !== checksum) {
      throw new MigrationMismatch(`${name}: ${done} was changed after it was applied`);
    }
  });
  return files.slice(applied.length);
}

async function readMigrations(directory: string | URL): Promise<Migration[]> {
  const folder = directory instanceof URL ? directory.pathname : directory;
  const names = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort();
  const migrations = await Promise.all(
    names.map(async (file) => {
      if (!/^\d{4}_\w+\.sql$/.test(file)) {
        throw new MigrationMismatch(`${file}: a migration is named NNNN_name.sql`);
      }
      const sql = await readFile(join(folder, file), 'utf8');
      return { file, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
  migrations.forEach(({ file }, i) => {
    const before = migrations[i - 1];
    if (before && before.file.slice(0, 4) === file.slice(0, 4)) {
      throw new MigrationMismatch(`${before.file} and ${file} have the same number`);
    }
  });
  return migrations;
}
