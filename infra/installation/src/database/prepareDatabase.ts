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

/** Creates the tables, roles and rights of a database as its owner, before any service signs in. */
export type PrepareOptions = {
  /** The owner's address: a user who may create schemas, and also roles unless they exist. */
  ownerUrl: string;
  /** The repository, where the migrations are. */
  root: string;
  passwords: RolePasswords;
  /** The schemas of this database: events, keys or read models may have a database of their own. */
  schemas: readonly Schema[];
  log: Log;
};

/**
 * Returns the address for each service. If the owner may not create the roles and nobody else did, all services get the
 * owner's address, and a warning says how to mend that. May be called at any time, also by several processes at once.
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

/** The folder of a schema's migrations. */
const migrationsOf = (root: string, schema: Schema): string =>
  schema === 'read' ? join(root, 'projectors/migrations') : join(root, 'infra/migrations', schema);

/** Runs the statements in one transaction; false, and nothing changed, if the user may not run them. */
async function permitted(client: pg.Client, sql: string): Promise<boolean> {
  try {
    // The lock makes concurrent starts wait for each other: two that grant on the same table would collide.
    await client.query(`begin; select pg_advisory_xact_lock(${PREPARE_LOCK}); ${sql} commit`);
    return true;
  } catch (error) {
    await client.query('rollback');
    const { code } = error as { code?: string };
    if (code === INSUFFICIENT_PRIVILEGE || code === UNDEFINED_OBJECT) return false;
    throw error;
  }
}

/** The lock's key: an arbitrary number that nobody else uses. */
const PREPARE_LOCK = 6_270_114_002;
const INSUFFICIENT_PRIVILEGE = '42501';
/** The code for a role that does not exist. */
const UNDEFINED_OBJECT = '42704';

/** Whether the roles exist, with this installation's passwords. */
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
