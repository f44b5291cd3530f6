import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SCENARIOS, scenarioOf } from '../../src/load/scenarios/catalog.ts';

test('the scenarios that there are to be are there', () => {
  expect(SCENARIOS.map(({ name }) => name)).toEqual([
    'steady',
    'opening-burst',
    'cancel-storm',
    'hot-symbol',
    'hot-account',
    'reads-only',
    'sign-in-storm',
    'slow-clients',
    'websocket',
    'batch',
    'with-faults',
    'original-browse',
    'original-latency',
  ]);
});

test('the original’s loads are its own, with its order in our words', () => {
  const order = { kind: 'fixed', symbol: 'AAPL', qty: '10', limitPrice: '1.00' };
  const reads = ['holdings', 'wallet', 'orders'];
  expect(scenarioOf('original-browse')).toMatchObject({
    users: 150,
    seconds: 15 + 60 + 30,
    orders: order,
    drive: {
      by: 'users',
      rampUpSeconds: 15,
      rampDownSeconds: 30,
      restMs: 1_000,
      journey: [...reads, 'deposit', 'place', ...reads],
    },
  });
  expect(scenarioOf('original-latency')).toMatchObject({
    orders: order,
    drive: { by: 'users', restMs: 1_000, journey: ['place', 'place', 'place', 'place'] },
  });
});

test('a scenario of one’s own is a JSON file, and what is wrong in it is told', () => {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-scenario-'));
  const file = join(folder, 'mine.json');
  try {
    const mine = {
      name: 'mine',
      says: 'mine',
      drive: { by: 'rate', rate: 5, mix: { place: 1 } },
      seconds: 1,
      users: 2,
    };
    writeFileSync(file, JSON.stringify(mine));
    expect(scenarioOf(file)).toMatchObject({ ...mine, symbols: 5, warmUpSeconds: 5 });
    writeFileSync(file, JSON.stringify({ ...mine, seconds: 0 }));
    expect(() => scenarioOf(file)).toThrow('seconds');
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(scenarioOf('moon')).toBeUndefined();
});
