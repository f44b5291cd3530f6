import { join } from 'node:path';
import { migrate } from '@brokerx/infra/postgres/migrate.ts';
import { CONNECT_TIMEOUT_MS } from '@brokerx/infra/postgres/postgres.ts';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import { errorsHeardElsewhere } from '@brokerx/infra/runtime/mayFail.ts';
import pg from 'pg';
import {
  addressOf,
  type DatabaseService,
  databaseOf,
  forEach,
  type RolePasswords,
  rightsSql,
  rolesSql,
  type Schema,
  sameForAll,
} from './databaseRoles.ts';

/** Tables, roles and rights of a database, made by its owner before any service signs in. */
export type PrepareOptions = {
  /** Of the owner: a user who may make schemas, and roles where there are none yet. */
  ownerUrl: string;
  /** The repository, where the migrations are. */
  root: string;
  passwords: RolePasswords;
  /** What this database holds: events, keys or read models may have one of their own. */
  schemas: readonly Schema[];
  log: Log;
};

/**
 * The address for each service. Where the owner may not make roles and nobody has made them, that is the owner's own for
 * all, and one warning says how to mend it. May be called at any time, by several at once.
 */
export async function prepareDatabase(options: PrepareOptions): Promise<Record<DatabaseService, string>> {
  const { ownerUrl, root, passwords, schemas, log } = options;
  for (const schema of schemas) {
    await migrate({ databaseUrl: ownerUrl, directory: migrationsOf(root, schema), name: schema });
  }
  const apart = forEach((service) => addressOf(ownerUrl, service, passwords));
  const client = new pg.Client({ connectionString: ownerUrl, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  errorsHeardElsewhere(client);
  await client.connect();
  try {
    const database = databaseOf(ownerUrl);
    const areMade = await permitted(client, rolesSql(database, passwords));
    const haveRights =
      (areMade || (await exist(apart))) && (await permitted(client, rightsSql(database, schemas)));
    if (haveRights) return apart;
  } finally {
    await client.end();
  }
  log.warn(
    'the user of DATABASE_URL may not make roles: all services share it, so that none is kept from what it does not need. ' +
      '`npm run brokerx -- database sql` prints the SQL that somebody who may make roles has to run',
  );
  return sameForAll(ownerUrl);
}

/** `state` is made by the same migrations as before it had a name of its own. */
const migrationsOf = (root: string, schema: Schema): string =>
  schema === 'read' ? join(root, 'projectors/migrations') : join(root, 'infra/migrations', schema);

/** Runs the statements in one transaction; false, and nothing done, where the user may not. */
async function permitted(client: pg.Client, sql: string): Promise<boolean> {
  try {
    // One after the other where several start at once: two that grant on the same table would collide.
    await client.query(`begin; select pg_advisory_xact_lock(${PREPARE_LOCK}); ${sql} commit`);
    return true;
  } catch (error) {
    await client.query('rollback');
    const { code } = error as { code?: string };
    if (code === INSUFFICIENT_PRIVILEGE || code === UNDEFINED_OBJECT) return false;
    throw error;
  }
}

/** Any constant of our own. */
const PREPARE_LOCK = 6_270_114_002;
const INSUFFICIENT_PRIVILEGE = '42501';
/** There is no such role. */
const UNDEFINED_OBJECT = '42704';

/** Whether somebody else made the roles, with the passwords that this installation has. */
async function exist(urls: Readonly<Record<DatabaseService, string>>): Promise<boolean> {
  for (const connectionString of Object.values(urls)) {
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
    try {
      await client.connect();
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === '28P01' || code === '28000') return false;
      throw error;
    }
    await client.end();
  }
  return true;
}
