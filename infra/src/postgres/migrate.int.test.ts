import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../servers/testServers.ts';
import { MigrationMismatch, migrate } from './migrate.ts';

let database: FreshDatabase;
let directory: string;
beforeEach(async () => {
  database = await freshDatabase();
  directory = mkdtempSync(join(tmpdir(), 'migrations-'));
  file('0001_first.sql', 'create table note (text text); insert into note values ($$one$$);');
  file('0002_second.sql', 'insert into note values ($$two$$);');
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  await database.drop();
});

const file = (name: string, sql: string) => writeFileSync(join(directory, name), sql);
const run = (name = 'notes') => migrate({ databaseUrl: database.url, directory, name });

async function notes(): Promise<string[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query<{ text: string }>('select text from note');
  await client.end();
  return rows.map(({ text }) => text);
}

test('each file is applied once, in order, and a new one when it comes', async () => {
  expect(await run()).toEqual({ applied: ['0001_first.sql', '0002_second.sql'] });
  expect(await run()).toEqual({ applied: [] });
  file('0010_third.sql', 'insert into note values ($$three$$);');
  expect(await run()).toEqual({ applied: ['0010_third.sql'] });
  expect(await notes()).toEqual(['one', 'two', 'three']);
});

test('of many callers at once one applies', async () => {
  const results = await Promise.all([1, 2, 3, 4, 5].map(() => run()));
  expect(results.flatMap(({ applied }) => applied)).toEqual(['0001_first.sql', '0002_second.sql']);
  expect(await notes()).toEqual(['one', 'two']);
});

test('a file that fails leaves nothing of itself, and those before it stay', async () => {
  file('0003_broken.sql', 'insert into note values ($$three$$); select 1/0;');
  await expect(run()).rejects.toThrow('notes: 0003_broken.sql failed');
  expect(await notes()).toEqual(['one', 'two']);
  file('0003_broken.sql', 'insert into note values ($$three$$);');
  expect(await run()).toEqual({ applied: ['0003_broken.sql'] });
});

test.for([
  ['was changed', () => file('0001_first.sql', 'select 1;'), '0001_first.sql was changed'],
  ['is missing', () => rmSync(join(directory, '0002_second.sql')), '0002_second.sql was applied here but'],
  ['slipped in', () => file('0001_a.sql', 'select 1;'), 'the same number'],
  ['comes too late', () => file('0000_zero.sql', 'select 1;'), '0000_zero.sql comes before 0001_first.sql'],
  ['is not numbered', () => file('third.sql', 'select 1;'), 'NNNN_name.sql'],
] as const)('a file that %s is an error', async ([, change, message]) => {
  await run();
  change();
  await expect(run()).rejects.toThrow(MigrationMismatch);
  await expect(run()).rejects.toThrow(message);
});

test('sets of migrations do not know each other', async () => {
  await run();
  file('0001_first.sql', 'insert into note values ($$of the others$$);');
  expect(await run('others')).toEqual({ applied: ['0001_first.sql', '0002_second.sql'] });
});
