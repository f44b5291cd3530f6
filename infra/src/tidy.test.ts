import { globSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

/** The rules of the house, as tests over every package. */
const root = resolve(import.meta.dirname, '../..');
const packages = [
  'contracts',
  'infra/installation',
  'infra',
  'command-api',
  'matching-engine',
  'projectors',
  'query-api',
  'client',
  'loadtests',
] as const;
const files = packages.flatMap((name) =>
  globSync(join(root, name, '{src,sim,bench,test}/**/*.ts')).map((path) => relative(root, path)),
);
const packageOf = (path: string) =>
  packages.find((name) => path.startsWith(`${name}/`)) as (typeof packages)[number];
const isTest = (path: string) => /\.test\.ts$|\.contract\.ts$|\/(test|testing)\//.test(path);
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** The aim is 300; what is cohesive may go a little beyond. */
const FILE_LINES_MAX = 350;

const banned = [
  {
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\brandomUUID\(/,
    // Clients and load tools are people's programs: they live in real time.
    where: (path: string) => !isTest(path) && !/\/runtime\.ts$|\/bench\/|^(client|loadtests)\//.test(path),
    instead: 'take time, randomness and ids from the Runtime or the command',
  },
  {
    pattern: /\bprocess\.env\b/,
    where: (path: string) => !isTest(path) && !/config\.ts$|\/cli\/|\/bench\//.test(path),
    instead: 'read it in config.ts',
  },
  {
    pattern: /\b(test|describe|it)\.(skip|only|todo)\(/,
    where: isTest,
    instead: 'a test that does not run proves nothing',
  },
  {
    // `.catch(() => undefined)` and its like, an empty `catch`, and listeners of `error` that do nothing.
    pattern:
      /\.catch\(\s*(async\s*)?\(?\w*\)?\s*=>\s*(undefined|null|false|void 0|\{\s*\})\s*,?\s*\)|\bcatch\s*(\(\w+\)\s*)?\{\s*\}|\.(on|once)\(\s*''\s*,\s*\(?\w*\)?\s*=>\s*(undefined|null|void 0|\{\s*\})\s*,?\s*\)/,
    where: (path: string) => !path.endsWith('/mayFail.ts'),
    instead: 'say why nobody has to hear of it: `mayFail` and its neighbours',
  },
  {
    pattern: /(:|<|\bas)\s*any\b/,
    where: (path: string) => !path.endsWith('/tidy.test.ts'),
    instead: 'say what it is, or `unknown`',
  },
] as const;

test.for(files)('%s is tidy', (path) => {
  const text = read(path);
  const code = withoutComments(text).replaceAll(/'(?:[^'\\\n]|\\.)*'/g, "''");
  for (const { pattern, where, instead } of banned) {
    if (where(path)) expect(pattern.exec(code)?.[0], instead).toBeUndefined();
  }
  if (!isTest(path))
    expect(text.split('\n').length, 'split it by concept').toBeLessThanOrEqual(FILE_LINES_MAX);
});

/** What a package may import beside Node's own modules and itself: architecture, section 2. */
const allowed: Record<(typeof packages)[number], (name: string) => boolean> = {
  contracts: (name) => name === 'zod',
  infra: (name) => !name.startsWith('@brokerx/'),
  'infra/installation': (name) =>
    ['@brokerx/infra', '@brokerx/contracts'].includes(name) || !name.startsWith('@brokerx/'),
  'command-api': isContractsOrInfra,
  'matching-engine': isContractsOrInfra,
  projectors: isContractsOrInfra,
  'query-api': isContractsOrInfra,
  client: (name) => name === '@brokerx/contracts' || !name.startsWith('@brokerx/'),
  loadtests: (name) =>
    name === '@brokerx/client' || name === '@brokerx/contracts' || !name.startsWith('@brokerx/'),
};

function isContractsOrInfra(name: string): boolean {
  return name === '@brokerx/contracts' || name === '@brokerx/infra' || !name.startsWith('@brokerx/');
}

test.for(files)('%s imports what its package may', (path) => {
  const own = packageOf(path);
  for (const specifier of imports(withoutComments(read(path)))) {
    if (specifier.startsWith('node:')) continue;
    if (specifier.startsWith('.')) {
      const target = relative(root, resolve(root, path, '..', specifier));
      // What infra's tests stand on, the tests of an installation may, too.
      if (isTest(path) && own === 'infra/installation' && target.startsWith('infra/test/')) continue;
      expect(packageOf(target), `${specifier} leaves the package`).toBe(own);
      expect(specifier, 'imports name the file').toMatch(/\.(ts|json)$/);
      continue;
    }
    const name = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/');
    const isTestTool = ['vitest', 'fast-check'].includes(name) && isTestTooling(path);
    expect(isTestTool || allowed[own](name), `${own} may not import ${specifier}`).toBe(true);
  }
});

const isTestTooling = (path: string) =>
  isTest(path) || path.includes('/sim/') || /^infra\/src\/servers\/testServers(\.\w+)?\.ts$/.test(path);

test('every variable that a config.ts reads is explained in .env.example', () => {
  const explained = new Set(
    [...read('.env.example').matchAll(/^#?\s?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name),
  );
  const asked = files
    .filter((path) => /(config|settings)\.ts$/.test(path))
    .flatMap((path) =>
      [...withoutComments(read(path)).matchAll(/^\s+([A-Z][A-Z0-9_]{2,}):/gm)].map(([, name]) => name),
    );
  expect(asked.filter((name) => !explained.has(name))).toEqual([]);
});

function imports(text: string): string[] {
  return [...text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)'([^']+)'/g)].map(
    ([, specifier = '']) => specifier,
  );
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/ .*$/gm, '');
}
