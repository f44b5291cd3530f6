import { readFileSync } from 'node:fs';
import type { BookFact, EngineInput } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { apply, newEngine } from './engine.ts';

/**
 * A history as the first version of the matching rules wrote it: one input a line, with what came of it then. It must
 * come out word for word for as long as version 1 can be run.
 */
type Line = { revision: number; outputs: BookFact[] } & Pick<EngineInput, 'type' | 'time' | 'data'>;
const lines = readFileSync(new URL('../fixtures/rules-v1.ndjson', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Line);

test('a history recorded under version 1 gives the same outputs today', () => {
  const engine = newEngine('SIM');
  for (const [index, { revision, outputs, ...input }] of lines.entries()) {
    const facts = apply(engine, { event: input as unknown as EngineInput, revision });
    expect(JSON.parse(JSON.stringify(facts)), `line ${index + 1}`).toEqual(outputs);
  }
  expect(engine.listing?.matchingRules).toBe(1);
  expect(engine.trades).toBeGreaterThan(50);
});
