import { expect, test } from 'vitest';
import {
  birthDate,
  CalendarDate,
  EventTime,
  Instant,
  InstantUtc,
  line,
  lines,
  PageToken,
  StreamName,
  word,
} from './domains.ts';

const takes = (schema: { safeParse(value: unknown): { success: boolean } }, value: unknown) =>
  schema.safeParse(value).success;

test.for([
  ['1970-01-01T00:00:00Z', true],
  ['2199-12-31T23:59:59.999999999Z', true],
  ['2026-01-05T14:30:00+15:59', true],
  ['1969-12-31T23:59:59Z', false],
  ['2200-01-01T00:00:00Z', false],
  ['0000-01-01T00:00:00Z', false],
  ['9999-12-31T23:59:59Z', false],
  // Its local time lies within, the moment itself before.
  ['1970-01-01T00:00:00+01:00', false],
  ['2026-01-05T14:30:00+16:00', false],
  ['2026-01-05T14:30:00-23:59', false],
  ['2026-02-30T00:00:00Z', false],
  ['2026-01-05T14:30:00.0000000001Z', false],
  [`2026-01-05T14:30:00.${'0'.repeat(200)}Z`, false],
  ['2026-01-05', false],
  ['', false],
] as const)('the instant %s: %s', ([text, taken]) => {
  expect(takes(Instant, text)).toBe(taken);
});

test('an instant of an order is in UTC, one of an event has milliseconds', () => {
  expect(takes(InstantUtc, '2026-01-05T14:30:00Z')).toBe(true);
  expect(takes(InstantUtc, '2026-01-05T14:30:00+01:00')).toBe(false);
  expect(takes(InstantUtc, '0000-01-01T00:00:00Z')).toBe(false);
  expect(takes(EventTime, '2026-01-05T14:30:00.000Z')).toBe(true);
  expect(takes(EventTime, '2026-01-05T14:30:00Z')).toBe(false);
  expect(takes(EventTime, '2026-13-05T14:30:00.000Z')).toBe(false);
  expect(takes(EventTime, '0000-01-01T00:00:00.000Z')).toBe(false);
});

test('nobody is born before 1900 or after the day that it is in the foremost time zone', () => {
  const born = birthDate(() => Date.parse('2026-03-01T11:00:00Z'));
  for (const day of ['1900-01-01', '2000-02-29', '2026-03-02']) expect(takes(born, day)).toBe(true);
  for (const day of ['1899-12-31', '2026-03-03', '1900-02-29', '2026-3-1', '0000-01-01'])
    expect(takes(born, day)).toBe(false);
  expect(takes(CalendarDate, '2199-12-31')).toBe(true);
  expect(takes(CalendarDate, '2200-01-01')).toBe(false);
});

const REFUSED = ['a\u0000', '\u0007', '\u001b[2J', '\ud800', 'a\udc00b', 'a\u2028b', 'a\u202eb', '\u0085'];
test.for(REFUSED)('no text holds %j', (text) => {
  for (const schema of [line(9), lines(9), word(9)]) expect(takes(schema, text)).toBe(false);
});

test('text is what people write, of one line or of several', () => {
  for (const text of ['Ann O’Néill', '株式会社', '👩‍👩‍👧', 'שלום']) expect(takes(line(20), text)).toBe(true);
  expect(line(20).parse('  Ann  ')).toBe('Ann');
  for (const text of ['', '   ', '\u200b', 'a\nb', 'a\tb', 'x'.repeat(21)])
    expect(takes(line(20), text)).toBe(false);
  expect(takes(lines(40), '1 Example St\r\nMontréal')).toBe(true);
});

test('page tokens and names of streams are words', () => {
  for (const token of ['a b', 'a\u0000', 'ä', '=']) expect(takes(PageToken, token)).toBe(false);
  expect(takes(PageToken, btoa('orders:\u0000').replaceAll('=', ''))).toBe(true);
  for (const name of ['book-BRK.B', 'account-0190a6c0-0000-7000-8000-000000000000', 'email-q_Z-1'])
    expect(takes(StreamName, name)).toBe(true);
  for (const name of ['', 'book', 'book-', 'book-\u0000', 'book-a b', `book-${'A'.repeat(200)}`])
    expect(takes(StreamName, name)).toBe(false);
});
