import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openJournal, readJournal } from '../src/journal.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'brokerx-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('an intent without an outcome is unknown; an outcome completes its intent', () => {
  const file = join(folder, 'client.jsonl');
  const journal = openJournal(file);
  journal.intent({ key: 'k1', accountId: 'a', kind: 'place' });
  journal.intent({ key: 'k2', accountId: 'a', kind: 'place' });
  journal.outcome({ key: 'k1', outcome: 'ok', subjectId: 'o1' });
  journal.intent({ key: 'k3', accountId: 'a', kind: 'cancel' });
  journal.outcome({ key: 'k3', outcome: 'refused', code: 'ORDER_NOT_OPEN' });
  journal.close();

  expect(readJournal(file)).toEqual([
    { key: 'k1', accountId: 'a', kind: 'place', outcome: 'ok', subjectId: 'o1' },
    { key: 'k2', accountId: 'a', kind: 'place', outcome: 'unknown' },
    { key: 'k3', accountId: 'a', kind: 'cancel', outcome: 'refused', code: 'ORDER_NOT_OPEN' },
  ]);
});

test('a torn last line is an outcome never learned; a torn line elsewhere is an error', () => {
  const file = join(folder, 'client.jsonl');
  const journal = openJournal(file);
  journal.intent({ key: 'k1', accountId: 'a', kind: 'place' });
  journal.close();
  appendFileSync(file, '{"key":"k1","outc');
  expect(readJournal(file)).toEqual([{ key: 'k1', accountId: 'a', kind: 'place', outcome: 'unknown' }]);

  appendFileSync(file, '\n{"key":"k2","accountId":"a","kind":"place"}\n');
  expect(() => readJournal(file)).toThrow('line 2 is no journal line');
});
