import { readFileSync } from 'node:fs';
import type { BookFact, EngineInput } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { apply, newEngine } from '../rules/engine.ts';

/**
 * Histories as earlier versions of the matching rules wrote them: one input a line, with what came of it then. They
 * must come out word for word for as long as those versions can be run.
 */
type Line = { revision: number; outputs: BookFact[] } & Pick<EngineInput, 'type' | 'time' | 'data'>;
const history = (version: number) =>
  readFileSync(new URL(`../../fixtures/rules-v${version}.ndjson`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

// Version 3 begins with short histories of what version 4 corrects, each with a listing of its own.
test.for([1, 2, 3])('a history recorded under version %i gives the same outputs today', (version) => {
  let engine = newEngine('SIM');
  for (const [index, { revision, outputs, ...input }] of history(version).entries()) {
    if (input.type === 'SymbolListed.v1') engine = newEngine('SIM');
    const facts = apply(engine, { event: input as unknown as EngineInput, revision });
    expect(JSON.parse(JSON.stringify(facts)), `line ${index + 1}`).toEqual(outputs);
  }
  expect(engine.listing?.matchingRules).toBe(version);
  expect(engine.trades).toBeGreaterThan(50);
});
