import { readFileSync } from 'node:fs';
import { dirname, join, matchesGlob, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { longFunctions } from './house.known.ts';
import { isTest, type SourceFile, sourceFiles, trackedTypeScript } from './structure.ts';

/**
 * The shape of the house, held by tests: floors, circles, lengths, folders, exports. What is not yet as it should be stands
 * in `house.known.ts` and may only shrink: where a test says that something there is better now, take it out of the list.
 */
const root = resolve(import.meta.dirname, '../..');
const files = sourceFiles();
const product = [...files.values()].filter(({ path }) => !isTest(path));

/**
 * Floors of a room, the uppermost first: a folder imports only from those below it; a folder inside another one counts as
 * a part of it. `.` is the room's own level: what wires everything together, and what everything rests on, by name.
 */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  'matching-engine/src': ['main', 'run', 'recovery', 'snapshot', 'rules', 'book'],
  'projectors/src': ['main', 'relay', 'tables', 'marketData', 'run'],
  'infra/src': [
    'index',
    'servers',
    'startProcess',
    'adapters',
    'auth',
    'http',
    'tally',
    'vault',
    'hotStore',
    'lease',
    'snapshots',
    'feed',
    'eventStore',
    'kafka',
    'redis',
    'postgres',
    'adapters.settings',
    'runtime',
  ],
  'infra/installation/src': ['cli', 'deploy', 'gateway', 'supervise', 'database'],
  'command-api/src': [
    'main',
    'trading',
    'app',
    'payments',
    'people',
    'mail',
    'settlement',
    'protection',
    'operations',
    'tasks',
    'orders',
    'money',
    'commands',
    'market',
    'account',
    'idempotencyKeys',
    'packedKeys',
    'refusal',
  ],
  'query-api/src': [
    'main',
    'start',
    'app',
    'metrics',
    'deps',
    'events',
    'ws',
    'streams',
    'books',
    'market',
    'account',
    'live',
    'reading',
    'http',
  ],
  'loadtests/src': ['load', 'drill', 'bookCheck', 'traders', 'bench', 'seed', 'audit', 'own', 'cli'],
  'contracts/src': ['index', 'api', 'publicBook', 'events', 'base'],
};

test.for(Object.entries(FLOORS))('%s: a folder imports only what stands below it', ([room, floors]) => {
  const floorOf = (path: string) => {
    const place = path.slice(room.length + 1);
    return floors.indexOf(place.includes('/') ? (place.split('/')[0] ?? '') : place.replace(/\.ts$/, ''));
  };
  const wrong = product
    .filter(({ path }) => path.startsWith(`${room}/`))
    .flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => target.startsWith(`${room}/`))
        .filter(
          ({ target }) => floorOf(target) !== -1 && floorOf(path) !== -1 && floorOf(target) < floorOf(path),
        )
        .map(({ target }) => `${path} imports ${target}`),
    );
  expect(wrong).toEqual([]);
});

/** Folders that decide: the same inputs give the same result, so nothing in them waits, reads a clock or talks to a server. */
const DECIDING = [
  'contracts/src/**',
  'matching-engine/src/{book,rules,snapshot}/**',
  'command-api/src/{account,market,money,orders}/**',
  'command-api/src/{idempotencyKeys,packedKeys,refusal}.ts',
  'command-api/src/settlement/settle.ts',
  'command-api/src/people/{client,decider}.ts',
  'command-api/src/people/registration/{deadlines,reservation}.ts',
];
/** Files of those folders that carry out what is decided. */
const CARRYING_OUT = [
  '**/{routes,*Routes,request,placeCommand,recordedOrders}.ts',
  'command-api/src/account/{accounts,accountCache,accountSnapshots,rounds,sharing}.ts',
  'command-api/src/market/{adoption,hydrate,markets,sharedReads,shownDepth,timer}.ts',
];
/** Contracts, assertions, and what computes: checksums, hashes, the form of a domain name. */
const COMPUTES = /^(contracts|command-api|matching-engine)\/|^node:(assert|crypto|url|zlib)$|^zod$/;

test.for(
  product
    .filter(({ path }) => DECIDING.some((glob) => matchesGlob(path, glob)))
    .filter(({ path }) => !CARRYING_OUT.some((glob) => matchesGlob(path, glob))),
)(
  '$path decides: it does not wait, and takes nothing but types from the outside world',
  ({ path, imports }) => {
    const outside = imports.filter(({ isTypeOnly, target }) => !isTypeOnly && !COMPUTES.test(target));
    expect(outside.map(({ target }) => target)).toEqual([]);
    const code = readFileSync(join(root, path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|(^|\s)\/\/ .*$/gm, '');
    expect(code.match(/\b(await|async|setTimeout|setInterval|performance)\b/)?.[0]).toBeUndefined();
  },
);

test('files import each other in no circle, types included', () => {
  expect(circlesOf(product)).toEqual([]);
});

/** What one screen shows. */
const FUNCTION_LINES_MAX = 70;

test('a function has at most 70 lines; the longer ones of old only become shorter', () => {
  const lengths: Record<string, number> = {};
  for (const { path, functions } of product) {
    for (const { name, lines } of functions) {
      if (lines > FUNCTION_LINES_MAX) lengths[`${path}: ${name}`] = lines;
    }
  }
  const longer = Object.entries(lengths).filter(([name, lines]) => lines > (longFunctions[name] ?? 0));
  expect(Object.fromEntries(longer), 'split it').toEqual({});
  const shorter = Object.keys(longFunctions).filter((name) => lengths[name] === undefined);
  expect(shorter, 'it is short now: take it out of house.known.ts').toEqual([]);
});

/** So that a folder can be read at a glance. */
const FILES_PER_FOLDER_MAX = 20;

test('a folder has a bounded number of files on one level', () => {
  const counts = new Map<string, number>();
  for (const { path } of product) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  expect([...counts].filter(([, count]) => count > FILES_PER_FOLDER_MAX)).toEqual([]);
});

test('what is exported is imported by somebody', () => {
  const used = new Set(
    [...files.values()].flatMap(({ imports }) =>
      imports.flatMap(({ target, names }) => names.map((name) => `${target}#${name}`)),
    ),
  );
  const unused = [...files.values()].flatMap(({ path, exports }) =>
    exports
      .filter((name) => !used.has(`${path}#${name}`) && !used.has(`${path}#*`))
      .map((name) => `${path}#${name}`),
  );
  // Packages tell through their entry, and vitest takes what its configuration names.
  const forOthers = /\/index\.ts#|^vitest\.(long\.)?config\.ts#default|testServers\.ts#default/;
  expect(
    unused.filter((name) => !forOthers.test(name)),
    'drop the word export, or the code',
  ).toEqual([]);
});

test('every file of TypeScript is checked by the compiler, and every test is run', () => {
  const { include } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as { include: string[] };
  const unchecked = trackedTypeScript.filter((path) => !include.some((glob) => matchesGlob(path, glob)));
  expect(unchecked).toEqual([]);
  const [, pattern = ''] =
    /include: \['([^']+)'\]/.exec(readFileSync(join(root, 'vitest.config.ts'), 'utf8')) ?? [];
  const tests = trackedTypeScript.filter((path) => path.endsWith('.test.ts'));
  expect(tests.filter((path) => !matchesGlob(path, pattern))).toEqual([]);
});

test('no test waits for a condition less long than all do: a busy machine is slow, and not wrong', () => {
  const short = /expect\s*\.poll\((?:(?!;\n)[\s\S])*?timeout: (?:\d{1,2}_)?\d{3}\b(?!_)/;
  const hasty = trackedTypeScript.filter(
    (path) => isTest(path) && short.test(readFileSync(join(root, path), 'utf8')),
  );
  expect(hasty, 'leave the time-out to vitest.config.ts').toEqual([]);
});

test('no comment begins with "Of": it says what the thing is or does', () => {
  const wrong = trackedTypeScript.filter((path) =>
    /(?:^\s*\/\/|^\s*\*|\/\*\*) Of\b/m.test(readFileSync(join(root, path), 'utf8')),
  );
  expect(wrong).toEqual([]);
});

/** Groups of files that reach each other, each sorted (Tarjan's strongly connected components). */
function circlesOf(nodes: readonly SourceFile[]): string[][] {
  const byPath = new Map(nodes.map((file) => [file.path, file]));
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (path: string) => {
    const number = order.size;
    order.set(path, number);
    low.set(path, number);
    stack.push(path);
    for (const { target } of byPath.get(path)?.imports ?? []) {
      if (!byPath.has(target)) continue;
      if (!order.has(target)) visit(target);
      if (stack.includes(target)) low.set(path, Math.min(low.get(path) ?? 0, low.get(target) ?? 0));
    }
    if (low.get(path) !== number) return;
    const circle = stack.splice(stack.indexOf(path));
    if (circle.length > 1) circles.push(circle.toSorted());
  };
  for (const path of byPath.keys()) if (!order.has(path)) visit(path);
  return circles;
}
