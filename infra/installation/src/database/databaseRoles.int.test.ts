import { randomBytes, randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { migrate } from '@brokerx/infra/postgres/migrate.ts';
import { createLog } from '@brokerx/infra/runtime/log.ts';
import { type FreshDatabase, freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  addressOf,
  DATABASE_SERVICES,
  databaseOf,
  forEach,
  RIGHTS,
  roleName,
  rolePasswords,
  rolesSql,
  SCHEMAS,
} from './databaseRoles.ts';
import { prepareDatabase } from './prepareDatabase.ts';

/** A database in which each service has a role of its own, on a real PostgreSQL. */
const root = resolve(import.meta.dirname, '../../../..');
const masterKey = randomBytes(32);
const warnings: string[] = [];
const write = (line: string) => void warnings.push(JSON.parse(line).msg);
const log = createLog({ name: 'test', level: 'warn', destination: { write } });

let database: FreshDatabase;
beforeEach(async () => {
  database = await freshDatabase();
  warnings.length = 0;
});
afterEach(async () => {
  const name = databaseOf(database.url);
  await as(
    database.url,
    ...Object.values(forEach((service) => `drop owned by ${quoted(name, service)}`)),
  ).catch(onlyMissing);
  const admin = new URL(database.url);
  admin.pathname = '/postgres';
  await database.drop();
  for (const service of Object.keys(RIGHTS))
    await as(admin.href, `drop role if exists ${quoted(name, service)}`);
});
const quoted = (name: string, service: string) =>
  pg.escapeIdentifier(`${name.slice(0, 40)}_${service.replaceAll('-', '_')}`);
const onlyMissing = (error: { code?: string }) => {
  if (error.code !== '42704') throw error;
};

/** Each statement by itself, as this user; the rows of the last one. */
async function as(url: string, ...statements: string[]): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    let rows: unknown[] = [];
    for (const statement of statements) ({ rows } = await client.query(statement));
    return rows;
  } finally {
    await client.end();
  }
}
const refused = (work: Promise<unknown>) => expect(work).rejects.toThrow(/permission denied/);

const prepared = (ownerUrl = database.url) =>
  prepareDatabase({
    ownerUrl,
    root,
    passwords: rolePasswords(masterKey, databaseOf(ownerUrl)),
    schemas: SCHEMAS,
    log,
  });

const APPEND = `insert into store.commit (last_position, stream, revision, events, commit_id, body)
  values (1, 'account-x', 0, 1, gen_random_uuid(), '[]')`;

test('who answers queries reads events and views, and writes neither; keys it does not see', async () => {
  const { 'query-api': url } = await prepared();
  expect(await as(url, 'select * from store.commit')).toEqual([]);
  expect(await as(url, 'select * from read.projection')).toEqual([]);
  await refused(as(url, APPEND));
  await refused(as(url, 'select * from vault.client_key'));
  await refused(as(url, 'delete from read.projection'));
  await refused(as(url, 'delete from state.lease'));
  await refused(as(url, 'create schema mine'));
});

test('who projects writes views and no event; who matches writes events and sees no key and no view', async () => {
  const { projectors, 'matching-engine': engine } = await prepared();
  await as(projectors, 'delete from read.projection', 'truncate hot.value');
  await refused(as(projectors, APPEND));
  await refused(as(projectors, 'select * from vault.client_key'));
  await as(engine, APPEND);
  await refused(as(engine, 'select * from vault.client_key'));
  await refused(as(engine, 'select * from read.projection'));
});

test('nobody changes or removes what was appended, or switches off what keeps them from it', async () => {
  const { 'command-api': url } = await prepared();
  await as(url, APPEND);
  await refused(as(url, "update store.commit set body = '[1]'"));
  await refused(as(url, 'delete from store.commit'));
  await refused(as(url, 'truncate store.commit'));
  await expect(as(url, 'alter table store.commit disable trigger only_grows')).rejects.toThrow(
    /must be owner/,
  );
  await expect(as(url, 'update store.head set store_id = gen_random_uuid()')).rejects.toThrow(/only grows/);
});

test('preparing again changes nothing, and two may do it at once', async () => {
  const [once, again] = await Promise.all([prepared(), prepared()]);
  expect(again).toEqual(once);
  expect(await prepared()).toEqual(once);
  expect(warnings).toEqual([]);
});

test('a service finds its tables and may not make any; where some are missing it says who has to', async () => {
  const { projectors } = await prepared();
  const directory = new URL('../../../migrations/state', import.meta.url);
  expect(await migrate({ databaseUrl: projectors, directory, name: 'state' })).toEqual({ applied: [] });
  await expect(migrate({ databaseUrl: projectors, directory, name: 'other' })).rejects.toThrow(
    /tables of this version are missing, and this user may not make them\. Run `brokerx database prepare`/,
  );
});

describe('an owner who may not make roles', () => {
  let owner: { name: string; url: string };
  beforeEach(async () => {
    const name = `owner_${randomUUID().slice(0, 8)}`;
    const url = new URL(database.url);
    url.username = name;
    url.password = 'owner';
    await as(
      database.url,
      `create role ${name} login password 'owner'`,
      `alter database ${pg.escapeIdentifier(databaseOf(database.url))} owner to ${name}`,
    );
    owner = { name, url: url.href };
  });
  afterEach(async () => {
    const admin = new URL(database.url);
    admin.pathname = '/postgres';
    // A role that owns something cannot be dropped.
    await as(database.url, `reassign owned by ${owner.name} to current_user`, `drop owned by ${owner.name}`);
    await as(admin.href, `drop role ${owner.name}`);
  });

  test('is one warning, and all services share it', async () => {
    expect(await prepared(owner.url)).toEqual(forEach(() => owner.url));
    expect(warnings).toEqual([expect.stringContaining('npm run brokerx -- database sql')]);
  });

  test('once somebody has run the SQL, the services have roles of their own', async () => {
    const passwords = rolePasswords(masterKey, databaseOf(owner.url));
    const sql = rolesSql(databaseOf(owner.url), passwords);
    for (const password of Object.values(passwords)) expect(sql).not.toContain(password);
    await as(database.url, sql);
    const urls = await prepared(owner.url);
    expect(urls).toEqual(forEach((service) => addressOf(owner.url, service, passwords)));
    expect(warnings).toEqual([]);
    await refused(as(urls['query-api'], APPEND));
  });
});

describe('a database with a long name', () => {
  const named = (name: string) => {
    const url = new URL(database.url);
    url.pathname = `/${encodeURIComponent(name)}`;
    return url.href;
  };
  const LONG = [
    'b'.repeat(60),
    `${'b'.repeat(59)}c`,
    'биржа-торговая-площадка-2026',
    '証券取引所のデータベース',
  ];
  const dropAll = async () => {
    for (const name of LONG) {
      await as(database.url, `drop database if exists ${pg.escapeIdentifier(name)} with (force)`);
      for (const service of DATABASE_SERVICES)
        await as(database.url, `drop role if exists ${pg.escapeIdentifier(roleName(name, service))}`);
    }
  };
  beforeEach(dropAll);
  afterEach(dropAll);

  test('has roles of its own, which are found again at each start', async () => {
    for (const name of LONG) {
      await as(database.url, `create database ${pg.escapeIdentifier(name)}`);
      const once = await prepared(named(name));
      expect(await prepared(named(name))).toEqual(once);
      await refused(as(once['query-api'], APPEND));
      await as(once['command-api'], 'select * from store.commit');
    }
    const roles = LONG.flatMap((name) => DATABASE_SERVICES.map((service) => roleName(name, service)));
    expect(new Set(roles).size).toBe(roles.length);
    expect(roles.filter((role) => Buffer.byteLength(role) > 63 || role.includes('\uFFFD'))).toEqual([]);
  }, 120_000);
});

test('every set of tables has rights that are said', () => {
  const folders = readdirSync(resolve(root, 'infra/migrations'));
  expect([...folders, 'read'].toSorted()).toEqual([...SCHEMAS].toSorted());
});
