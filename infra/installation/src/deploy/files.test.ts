import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { DATABASE_SERVICES, roleName } from '../database/databaseRoles.ts';
import { ROLES, SERVERS } from './roles.ts';

/** Facts that are in several files, which cannot import each other, must be equal. */
const root = resolve(import.meta.dirname, '../../../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const dockerfile = read('Dockerfile');
const compose = read('infra/compose.yaml');

test('the image has the Node and the pnpm of the repository, and every package of it', () => {
  const node = /^ {2}node: (\S+)$/m.exec(read('pnpm-workspace.yaml'))?.[1];
  const pnpm = /pnpm@(\S+) install/.exec(read('infra/launch.mjs'))?.[1];
  expect(dockerfile).toContain(`ARG BASE_IMAGE=node:${node}-`);
  expect(dockerfile).toContain(`ARG NODE_VERSION=${node}\n`);
  expect(dockerfile).toContain(`ARG PNPM_VERSION=${pnpm}\n`);
  for (const manifest of globSync('*/package.json', { cwd: root }))
    expect(dockerfile).toContain(`COPY ${manifest} `);
});

test('what is deployed is what compose knows, with images that deploy can set', () => {
  const known = [...compose.matchAll(/^ {2}([a-z0-9-]+):$/gm)].map(([, name]) => name);
  for (const { services, before, tagVariable } of ROLES) {
    expect(known).toEqual(expect.arrayContaining([...services, ...(before ? [before] : [])]));
    expect(compose).toContain(`\${${tagVariable}:-latest}`);
  }
  expect(known).toEqual(expect.arrayContaining([...SERVERS]));
});

test('each process has a name of its own, the same for ever', () => {
  const names = [...compose.matchAll(/BROKERX_INSTANCE: ([a-z0-9-]+)/g)].map(([, name]) => name);
  const services = ROLES.flatMap((role) => (role.services.length > 1 ? role.services : []));
  expect(names.toSorted()).toEqual(services.toSorted());
});

test('who is not told a mode is in production, and everybody who asks is told', () => {
  const told = [...compose.matchAll(/BROKERX_MODE: (\S+)/g)].map(([, mode]) => mode);
  expect(told).toEqual(['services', 'traders', 'inbox'].map(() => '${BROKERX_MODE:-production}'));
});

test('no secret has a default, and only who needs the keys is given them', () => {
  const passwords = DATABASE_SERVICES.map(
    (service) => `${service.toUpperCase().replaceAll('-', '_')}_DATABASE_PASSWORD`,
  );
  const owners = ['BROKERX_MASTER_KEY', 'AUTH_PRIVATE_JWK', 'POSTGRES_PASSWORD', 'VAULT_PASSWORD'];
  for (const secret of [...owners, ...passwords]) {
    const uses = [...compose.matchAll(new RegExp(`\\$\\{${secret}(.)(.)`, 'g'))].map(
      ([, a, b]) => `${a}${b}`,
    );
    expect(new Set(uses), secret).toEqual(new Set([':?']));
  }
  const holders = [
    ...compose.matchAll(
      /<<: \[\*environment, \*keys, \*command-api-database\], BROKERX_INSTANCE: ([a-z-]+)/g,
    ),
  ];
  expect(holders.map(([, name]) => name)).toEqual(['command-api-', 'command-api-']);
});

test('each service signs in to the database as its own role, and only `database` as the owner', () => {
  for (const service of DATABASE_SERVICES) {
    const role = roleName('brokerx', service);
    expect(compose).toContain(`&${service}-database\n  DATABASE_URL: postgres://${role}:`);
    const used = [
      ...compose.matchAll(new RegExp(`\\*${service}-database\\], BROKERX_INSTANCE: (\\S+)`, 'g')),
    ];
    expect(used.map(([, name]) => name)).toEqual([`${service}-1`, `${service}-2`]);
  }
  expect([...compose.matchAll(/\$\{POSTGRES_PASSWORD:/g)]).toHaveLength(2);
});
