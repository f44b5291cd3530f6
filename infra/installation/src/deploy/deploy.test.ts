import { realRuntime } from '@brokerx/infra/runtime/runtime.ts';
import { beforeEach, expect, test } from 'vitest';
import { type MemoryContainers, memoryContainers } from '../../test/memoryContainers.ts';
import { type Deployment, deploy, rollBack } from './deploy.ts';
import { previousTag, type Release } from './releases.ts';
import { ROLES } from './roles.ts';

/** Deployments and ways back over containers in memory: what is replaced, in which order, and what is undone. */
const SERVICES = [
  'postgres',
  'vault',
  ...ROLES.flatMap(({ services, before }) => (before ? [before, ...services] : services)).filter(
    (service) => service !== 'inbox' && service !== 'traders',
  ),
];
let tags: Record<string, string>;
let releases: Release[];
let said: string[];
let containers: MemoryContainers;
let around: Deployment;

function installation(broken: Record<string, string[]> = {}) {
  tags = {};
  releases = [];
  said = [];
  containers = memoryContainers({
    services: SERVICES,
    images: [],
    broken,
    tagOf: (service) => {
      const role = ROLES.find(({ services, before }) => services.includes(service) || before === service);
      return (role && tags[role.name]) ?? 'theirs';
    },
  });
  around = {
    containers,
    setTag: ({ name }, tag) => {
      tags[name] = tag;
    },
    currentTag: ({ name }) => tags[name],
    previousTag: ({ name }) => previousTag(releases, name),
    record: (what, changed) => void releases.push({ at: '2026-01-05T14:30:00Z', what, tags: changed }),
    say: (line) => void said.push(line),
    runtime: realRuntime,
    readyTimeoutMs: 1_000,
    settleMs: 1,
  };
}
beforeEach(() => installation());

const forget = () => void containers.started.splice(0);

test('the first deployment builds the image and starts servers, then readers, then writers, then the gateway', async () => {
  expect(await deploy(around, [], 'one')).toBe(true);
  expect(containers.started).toEqual([
    'postgres=theirs',
    'vault=theirs',
    'database=one',
    'projectors-1=one',
    'projectors-2=one',
    'query-api-1=one',
    'query-api-2=one',
    'matching-engine-1=one',
    'matching-engine-2=one',
    'command-api-1=one',
    'command-api-2=one',
    'gateway-config=one',
    'gateway=one',
  ]);
  expect(releases.map(({ what }) => what)).toEqual(['deploy']);
});

test('the next one replaces only what is named, and tells a running gateway of its new configuration', async () => {
  await deploy(around, [], 'one');
  forget();
  expect(await deploy(around, ['command-api-2'], 'two')).toBe(true);
  expect(containers.started).toEqual(['database=two', 'command-api-1=two', 'command-api-2=two']);
  expect(containers.executed).toEqual([]);
  await deploy(around, ['gateway'], 'two');
  expect(containers.executed).toEqual([
    expect.stringMatching(/^gateway: sh -c nginx .* -t && nginx .* -s reload$/),
  ]);
});

test('an image that does not work is undone, the other of its kind untouched, and is no place to go back to', async () => {
  installation({ two: ['command-api-1'] });
  await deploy(around, [], 'one');
  const before = containers.running();
  forget();
  expect(await deploy(around, [], 'two')).toBe(false);
  // The changes of the new image to the database stay.
  expect(containers.running()).toEqual({ ...before, database: 'two' });
  expect(containers.started).not.toContain('command-api-2=two');
  // The role that was deployed first goes back last.
  expect(containers.started.slice(containers.started.indexOf('command-api-1=two'))).toEqual([
    'command-api-1=two',
    'command-api-1=one',
    'matching-engine-1=one',
    'matching-engine-2=one',
    'query-api-1=one',
    'query-api-2=one',
    'projectors-1=one',
    'projectors-2=one',
  ]);
  expect(said).toContain('command-api-1 failed: it does not run\nthe last words of command-api-1');
  expect(said.at(-1)).toBe('all services are as they were before');
  expect(releases).toHaveLength(1);
  await expect(rollBack(around, [])).rejects.toThrow('there is no earlier image to go back to');
});

test('a first deployment that does not work leaves things as they are, to be looked at', async () => {
  installation({ one: ['query-api-2'] });
  expect(await deploy(around, [], 'one')).toBe(false);
  expect(said.at(-1)).toBe(
    'nothing ran before that could be gone back to: the services are left as they are',
  );
});

test('a way back goes to the image before, writers first, and once more to the one before that', async () => {
  for (const tag of ['one', 'two', 'three']) await deploy(around, [], tag);
  forget();
  expect(await rollBack(around, [])).toBe(true);
  const { database, ...services } = tags;
  expect(new Set(Object.values(services))).toEqual(new Set(['two']));
  expect(database).toBe('three');
  expect(containers.started.slice(0, 4)).toEqual([
    'gateway-config=two',
    'gateway=two',
    'command-api-1=two',
    'command-api-2=two',
  ]);
  expect(await rollBack(around, ['query-api'])).toBe(true);
  expect(tags).toMatchObject({ 'query-api': 'one', 'command-api': 'two' });
  await expect(rollBack(around, ['query-api'])).rejects.toThrow('there is no earlier image');
  await expect(rollBack(around, [], 'never')).rejects.toThrow('there is no image never here any more');
  expect(await rollBack(around, [], 'three')).toBe(true);
  expect(new Set(Object.values(tags))).toEqual(new Set(['three']));
});

test('a name that is none, and what is not started here, is refused before anything happens', async () => {
  await expect(deploy(around, ['command-apis'], 'one')).rejects.toThrow(
    'there is no service command-apis: choose from database, projectors, query-api,',
  );
  await expect(deploy(around, ['traders'], 'one')).rejects.toThrow(
    'traders is not started here: see COMPOSE_PROFILES',
  );
  expect(containers.started).toEqual([]);
});
