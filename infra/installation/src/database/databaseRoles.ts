import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { deriveKey } from '@brokerx/infra/vault/sealing.ts';
import pg from 'pg';

/**
 * Each service signs in to PostgreSQL as a role of its own with no more rights than its work needs: query-api cannot write an
 * event, the matching engine cannot read a key. The owner of the database creates tables and roles, and no service gets the
 * owner's address.
 */
export const DATABASE_SERVICES = ['command-api', 'matching-engine', 'projectors', 'query-api'] as const;
export type DatabaseService = (typeof DATABASE_SERVICES)[number];

export const isDatabaseService = (name: string): name is DatabaseService =>
  DATABASE_SERVICES.some((service) => service === name);

/** `read`, or also `append` (add events) or `write` (change rows). Without a right a service cannot even see the schema. */
type Right = 'read' | 'append' | 'write';
export const RIGHTS: Readonly<Record<DatabaseService, Readonly<Partial<Record<Schema, Right>>>>> = {
  'command-api': { store: 'append', state: 'write', vault: 'write', hot: 'read' },
  'matching-engine': { store: 'append', state: 'write' },
  projectors: { store: 'read', state: 'write', read: 'write', hot: 'write' },
  'query-api': { store: 'read', state: 'read', read: 'read', hot: 'read' },
};

/** The database's schemas; each has its own migrations. */
export const SCHEMAS = ['store', 'state', 'hot', 'vault', 'read'] as const;
export type Schema = (typeof SCHEMAS)[number];

export type RolePasswords = Readonly<Record<DatabaseService, string>>;

/** A record with a value for each service. */
export const forEach = <T>(valueOf: (service: DatabaseService) => T) =>
  Object.fromEntries(DATABASE_SERVICES.map((service) => [service, valueOf(service)])) as Record<
    DatabaseService,
    T
  >;

/** One address for all services: where roles cannot be created, and in tests about other things. */
export const sameForAll = (databaseUrl: string) => forEach(() => databaseUrl);

/**
 * The name of a service's role. Roles belong to the whole server, so it contains the database's name: several installations
 * can share a server. Long names are shortened here, because PostgreSQL would cut them and so make different roles equal.
 */
export const roleName = (database: string, service: DatabaseService): string =>
  `${shortened(database)}_${service.replaceAll('-', '_')}`;

function shortened(database: string): string {
  const bytes = Buffer.from(database);
  if (bytes.length <= DATABASE_NAME_BYTES) return database;
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, DIGEST_CHARACTERS);
  const begin = bytes.subarray(0, DATABASE_NAME_BYTES - DIGEST_CHARACTERS - 1);
  // The last character may have been cut in half.
  return `${begin.toString().replace(/\uFFFD+$/, '')}_${digest}`;
}
/** Bytes for the database, of the 63 that PostgreSQL allows in a role's name. */
const DATABASE_NAME_BYTES = 40;
const DIGEST_CHARACTERS = 12;

/** The roles' passwords, derived from the master key: the same at every start of an installation. */
export function rolePasswords(masterKey: Buffer, database: string): RolePasswords {
  const password = (service: DatabaseService) =>
    deriveKey(masterKey, `database role ${roleName(database, service)}`).toString('base64url');
  return forEach(password);
}

/** The schemas in the database of DATABASE_URL: events, keys and read models may each have a database of their own. */
export function schemasKeptIn(
  env: Readonly<Partial<Record<'EVENTSTORE_URL' | 'VAULT_URL' | 'READ_DATABASE_URL', string | undefined>>>,
): Schema[] {
  const elsewhere = new Set<Schema>([
    ...(env.EVENTSTORE_URL ? (['store'] as const) : []),
    ...(env.VAULT_URL ? (['vault'] as const) : []),
    ...(env.READ_DATABASE_URL ? (['hot', 'read'] as const) : []),
  ]);
  return SCHEMAS.filter((schema) => !elsewhere.has(schema));
}

/** The owner's address with a service's role in place of the owner. */
export function addressOf(ownerUrl: string, service: DatabaseService, passwords: RolePasswords): string {
  const url = new URL(ownerUrl);
  url.username = roleName(databaseOf(ownerUrl), service);
  url.password = passwords[service];
  return url.href;
}

export const databaseOf = (databaseUrl: string): string =>
  decodeURIComponent(new URL(databaseUrl).pathname.slice(1));

/** SQL that creates the roles, for a user who may do so. It contains passwords only as SCRAM verifiers. */
export function rolesSql(database: string, passwords: RolePasswords): string {
  return DATABASE_SERVICES.map((service) => {
    const role = roleName(database, service);
    const [name, verifier] = [
      pg.escapeIdentifier(role),
      pg.escapeLiteral(scramVerifier(role, passwords[service])),
    ];
    return `do $$ begin
  if not exists (select from pg_roles where rolname = ${pg.escapeLiteral(role)}) then
    create role ${name} login nosuperuser nocreatedb nocreaterole noinherit;
  end if;
end $$;
alter role ${name} password ${verifier};`;
  }).join('\n');
}

/** SQL that grants each role its rights in the schemas, and revokes rights that an earlier version granted. */
export function rightsSql(database: string, schemas: readonly Schema[]): string {
  return DATABASE_SERVICES.flatMap((service) => {
    const role = pg.escapeIdentifier(roleName(database, service));
    return [
      `grant usage on schema migration to ${role}`,
      `grant select on migration.applied to ${role}`,
      ...schemas.flatMap((schema) => schemaRights(schema, RIGHTS[service][schema], role)),
    ];
  })
    .map((statement) => `${statement};`)
    .join('\n');
}

function schemaRights(schema: Schema, right: Right | undefined, role: string): string[] {
  const revoked = [
    `revoke all on all tables in schema ${schema} from ${role}`,
    `revoke all on all functions in schema ${schema} from public, ${role}`,
  ];
  if (right === undefined) return [...revoked, `revoke all on schema ${schema} from ${role}`];
  const reads = [
    ...revoked,
    `grant usage on schema ${schema} to ${role}`,
    `grant select on all tables in schema ${schema} to ${role}`,
  ];
  if (right === 'read') return reads;
  const functions = `grant execute on all functions in schema ${schema} to ${role}`;
  // An append locks the head row, which requires the right to update it; a trigger forbids the update itself.
  if (right === 'append') {
    return [
      ...reads,
      functions,
      'grant insert on store.commit to ' + role,
      'grant update on store.head to ' + role,
    ];
  }
  return [
    ...reads,
    functions,
    `grant insert, update, delete, truncate on all tables in schema ${schema} to ${role}`,
  ];
}

/**
 * The verifier that PostgreSQL stores for a password (RFC 5803), so that no password is in a statement that a server may log.
 * The salt is derived from the password, so that the verifier is the same at every start.
 */
function scramVerifier(role: string, password: string): string {
  const salt = createHash('sha256').update(`${role}:${password}`).digest().subarray(0, 16);
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, 'sha256');
  const keyed = (text: string) => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(keyed('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${salt.toString('base64')}$${stored}:${keyed('Server Key').toString('base64')}`;
}
/** PostgreSQL's own default, which is enough: the passwords have 192 bits or more. */
const SCRAM_ITERATIONS = 4_096;
