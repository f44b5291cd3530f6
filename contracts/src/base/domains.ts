import { z } from 'zod';
import { centsFromDecimal, decimalFromCents, sharesFromDecimal } from './units.ts';

/**
 * The values that BrokerX takes in. What is stored must be writable by every reader, for ever, and PostgreSQL, Redis,
 * Kafka, JSON and browsers differ in what they can hold: a value of these domains fits into all of them. Every schema
 * of a body, a query, a path, a page token, a message or an event is made of them.
 */

/** The first moment, and the first one that lies beyond. Year 0 is none to PostgreSQL; 9999 has no next minute to it. */
export const INSTANT_MIN = '1970-01-01T00:00:00.000Z';
export const INSTANT_END = '2200-01-01T00:00:00.000Z';
const INSTANT_MIN_MS = Date.parse(INSTANT_MIN);
const INSTANT_END_MS = Date.parse(INSTANT_END);
/** A day that is there, to nanoseconds, and an offset below the 16 hours from which on PostgreSQL refuses it. */
const INSTANT_TEXT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-](0\d|1[0-5]):[0-5]\d)$/;
const INSTANT_RULE =
  'a time (RFC 3339) from 1970 up to, not including, 2200, with at most nine decimals and an offset below 16 hours';

export const isInstantMs = (ms: number): boolean => ms >= INSTANT_MIN_MS && ms < INSTANT_END_MS;

/** A moment as clients write it: `2026-01-05T14:30:00Z`, with any offset. */
export const Instant = z.iso
  .datetime({ offset: true, error: INSTANT_RULE, abort: true })
  .refine((text) => INSTANT_TEXT.test(text) && isInstantMs(Date.parse(text)), INSTANT_RULE);
/** The same in UTC alone. */
export const InstantUtc = z.iso
  .datetime({ error: INSTANT_RULE, abort: true })
  .refine((text) => INSTANT_TEXT.test(text) && isInstantMs(Date.parse(text)), INSTANT_RULE);
/** As events have it: RFC 3339 UTC with milliseconds, always 24 characters, so that times compare as text. */
export const EventTime = z
  .string()
  .regex(/^(19[7-9]\d|20\d\d|21\d\d)-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
  .refine((text) => isInstantMs(Date.parse(text)), INSTANT_RULE);

/** A day of the calendar, which no time zone moves: `1990-04-01`. */
export const CalendarDate = z.iso
  .date({ error: 'a date such as 1990-04-01', abort: true })
  .refine((day) => day >= '1900-01-01' && day < '2200-01-01', 'a date from 1900 up to, not including, 2200');
/** The last zone in which a day begins and ends is 12 hours behind UTC, the first one 14 before: a birth today is no error. */
const ZONE_AHEAD_MS = 14 * 3_600_000;
/** Somebody's day of birth: today, where it is latest, and no later. */
export const birthDate = (nowMs: () => number) =>
  CalendarDate.refine((day) => day <= new Date(nowMs() + ZONE_AHEAD_MS).toISOString().slice(0, 10), {
    error: 'a date of birth lies in the past',
    abort: true,
  });
const ADULT_YEARS = 18;
/** The day of birth of an adult: in some time zone the eighteenth birthday has begun. Who was born on 29 February waits for 1 March. */
export const adultBirthDate = (nowMs: () => number) =>
  birthDate(nowMs).refine((day) => {
    const today = new Date(nowMs() + ZONE_AHEAD_MS).toISOString().slice(0, 10);
    return `${Number(day.slice(0, 4)) + ADULT_YEARS}${day.slice(4)}` <= today;
  }, `the date of birth of somebody who is ${ADULT_YEARS} or older`);

/**
 * What no text holds: controls (NUL cannot be stored by PostgreSQL, ESC is a command to terminals), halves of surrogate
 * pairs (no UTF-8 has them), separators of lines, and overrides of direction (they make one name look like another).
 */
const LINE = /^[^\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]*$/u;
/** The same, but for tabs and ends of lines. */
const LINES = /^(?:[\t\r\n]|[^\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069])*$/u;
/** Something that can be seen. */
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;
const TEXT_RULE = 'text without control characters, halves of surrogate pairs and overrides of direction';
const visible = (text: z.ZodString, max: number, rule: RegExp) =>
  text
    .trim()
    .min(1, { abort: true })
    .max(max)
    .regex(rule, TEXT_RULE)
    .regex(VISIBLE, 'text with at least one letter, digit or sign');

/** A name, a title, a reason: one line of text. */
export const line = (max: number) => visible(z.string(), max, LINE);
/** An address: text of several lines. */
export const lines = (max: number) => visible(z.string(), max, LINES);
/** A word of a machine: printable ASCII without spaces, which fits into any header, URL and log. */
export const word = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[\x21-\x7e]*$/, 'printable ASCII characters without spaces');
/** Text that is kept as it comes, spaces and all: what BrokerX says in an event, or what a client gets back. */
export const text = (max: number) => z.string().max(max).regex(LINE, TEXT_RULE);

/** An amount of money above 0: a decimal string, so that no client's floating point stands between. */
export const money = (maxCents: number) =>
  z
    .string()
    .refine(
      (text) => {
        const value = centsFromDecimal(text);
        return value !== undefined && value > 0 && value <= maxCents;
      },
      `a decimal string with at most two decimals, above 0 and at most ${decimalFromCents(maxCents)}`,
    )
    .meta({ pattern: '^(0|[1-9]\\d{0,12})(\\.\\d{1,2})?$', examples: ['150.25'] });
/** A whole number as a decimal string. */
export const whole = (max: number, min = 1) =>
  z
    .string()
    .refine((text) => {
      const value = sharesFromDecimal(text);
      return value !== undefined && value >= min && value <= max;
    }, `a whole number as a string, from ${min} to ${max}`)
    .meta({ pattern: '^(0|[1-9]\\d{0,12})$', examples: ['10'] });
/** A whole number in a URL, where everything is text. */
export const wholeOfText = (min: number, max: number) => {
  const rule = `a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, { error: rule, abort: true })
    .transform(Number)
    .refine((value) => value >= min && value <= max, rule);
};
/** Of something that is counted: a safe integer, as JSON has it. */
export const Count = z.int().min(0);

/** `next` of a page, base64url: a row of a list, and the commit that the page reflected. */
export const PageToken = z
  .string()
  .max(500)
  .regex(/^[A-Za-z0-9_-]*$/, 'a page token, as `next` gave it');
/** The name of a stream: a category, a dash, and a key (an id, a symbol, a keyed hash). */
export const StreamName = z
  .string()
  .max(200)
  .regex(/^[a-z]+-[A-Za-z0-9._-]+$/, 'a name of a stream, such as book-AAPL');
/** An id in a path or a query; ids are written in small letters. */
export const Id = z.uuid().transform((text) => text.toLowerCase());
