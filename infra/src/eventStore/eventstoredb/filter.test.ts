import { expect, test } from 'vitest';
import { notedCodec } from '../../../test/noted.ts';
import type { Filter } from '../eventStore.ts';
import { serverExpression } from './filter.ts';

test.for<[string, Filter[], ReturnType<typeof serverExpression>]>([
  ['types are asked for by type', [{ types: ['filled'] }], { on: 'type', regex: '^(filled)$' }],
  [
    'types narrow more than categories',
    [{ categories: ['book'], types: ['filled', 'fill'] }],
    { on: 'type', regex: '^(filled|fill)$' },
  ],
  [
    'categories are asked for by the beginning of the name',
    [{ categories: ['book'] }],
    { on: 'stream', regex: '^((book)(-.*)?)$' },
  ],
  [
    'streams by their names, whatever is in them',
    [{ streams: ['book-A.B', 'book-C+'] }],
    { on: 'stream', regex: '^(book-A\\.B|book-C\\+)$' },
  ],
  [
    'of several filters any may match',
    [{ streams: ['book-A'] }, { categories: ['market'], types: ['listed'] }],
    { on: 'stream', regex: '^(book-A|(market)(-.*)?)$' },
  ],
  [
    'one that can match nothing adds nothing',
    [{ types: [] }, { types: ['a'] }],
    { on: 'type', regex: '^(a)$' },
  ],
  ['nothing to ask for', [{ categories: [] }, { streams: [] }], 'nothing'],
  ['no filter', [], 'nothing'],
  ['the server knows no symbols', [{ symbols: ['ACME'] }], null],
  ['everything', [{ types: ['a'] }, {}], null],
])('%s', ([, filters, expected]) => {
  expect(serverExpression(filters, notedCodec)).toEqual(expected);
});

test('what matches an expression is exactly what it names', () => {
  const expression = serverExpression([{ categories: ['book'] }, { streams: ['market-A.B'] }], notedCodec);
  const regex = new RegExp(expression && expression !== 'nothing' ? expression.regex : '');
  expect(['book', 'book-', 'book-A', 'market-A.B'].filter((name) => !regex.test(name))).toEqual([]);
  expect(
    ['books-A', 'a-book-A', 'market-AxB', 'market-A.BC', '$ce-book'].filter((name) => regex.test(name)),
  ).toEqual([]);
});

test('a reader of very many streams reads their category instead, where he names it', () => {
  const streams = Array.from({ length: 500 }, (_, i) => `account-${i}`);
  expect(serverExpression([{ streams }], notedCodec)).toBeNull();
  expect(serverExpression([{ streams, categories: ['account'] }], notedCodec)).toEqual({
    on: 'stream',
    regex: '^((account)(-.*)?)$',
  });
});
