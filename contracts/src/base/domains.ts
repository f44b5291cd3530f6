import { z } from 'zod';
import { centsFromDecimal, decimalFromCents, sharesFromDecimal } from './units.ts';

/**
 * The value domains of all input: times, text, money, numbers. PostgreSQL, Redis, Kafka, JSON and browsers differ in
 * what they can hold; a value of these domains fits into all of them, so that every reader can write it for ever.
 * Every schema of a body, query, path, page token, message or event is made of them.
 */

/** The first accepted time, and the first that is too late: far from the years 0 and 9999, where stores disagree. */
export const INSTANT_MIN = '1970-01-01T00:00:00.000Z';
export const INSTANT_END = '2200-01-01T00:00:00.000Z';
const INSTANT_MIN_MS = Date.parse(INSTANT_MIN);
const INSTANT_END_MS = Date.parse(INSTANT_END);
/** At most nine decimals (nanoseconds), and an offset below 16 hours: PostgreSQL refuses larger ones. */
const INSTANT_TEXT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-](0\d|1[0-5]):[0-5]\d)$/;
const INSTANT_RULE =
  'a time (RFC 3339) from 1970 up to, not including, 2200, with at most nine decimals and an offset below 16 hours';

export const isInstantMs = (ms: number): boolean => ms >= INSTANT_MIN_MS && ms < INSTANT_END_MS;

/** A time in a request, with any offset: `2026-01-05T14:30:00Z`. */
export const Instant = z.iso
  .datetime({ offset: true, error: INSTANT_RULE, abort: true })
  .refine((text) => INSTANT_TEXT.test(text) && isInstantMs(Date.parse(text)), INSTANT_RULE);
/** A time in a request, in UTC only. */
export const InstantUtc = z.iso
  .datetime({ error: INSTANT_RULE, abort: true })
  .refine((text) => INSTANT_TEXT.test(text) && isInstantMs(Date.parse(text)), INSTANT_RULE);
/** A time in an event: RFC 3339 UTC with milliseconds, always 24 characters, so that times compare as text. */
export const EventTime = z
  .string()
  .regex(/^(19[7-9]\d|20\d\d|21\d\d)-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
  .refine((text) => isInstantMs(Date.parse(text)), INSTANT_RULE);

/** A calendar date without a time zone: `1990-04-01`. */
export const CalendarDate = z.iso
  .date({ error: 'a date such as 1990-04-01', abort: true })
  .refine((day) => day >= '1900-01-01' && day < '2200-01-01', 'a date from 1900 up to, not including, 2200');
/** The time zone that is furthest ahead of UTC. A date that has begun there is not in the future. */
const ZONE_AHEAD_MS = 14 * 3_600_000;
/** A person's date of birth: at the latest today in the time zone furthest ahead. */
export const birthDate = (nowMs: () => number) =>
  CalendarDate.refine((day) => day <= new Date(nowMs() + ZONE_AHEAD_MS).toISOString().slice(0, 10), {
    error: 'a date of birth lies in the past',
    abort: true,
  });
const ADULT_YEARS = 18;
/**
 * An adult's date of birth: the eighteenth birthday has begun in the time zone furthest ahead. Whoever was born on
 * 29 February is an adult from 1 March on.
 */
export const adultBirthDate = (nowMs: () => number) =>
  birthDate(nowMs).refine((day) => {
    const today = new Date(nowMs() + ZONE_AHEAD_MS).toISOString().slice(0, 10);
    return `${Number(day.slice(0, 4)) + ADULT_YEARS}${day.slice(4)}` <= today;
  }, `the date of birth of somebody who is ${ADULT_YEARS} or older`);

/**
 * Text without control characters (PostgreSQL cannot store NUL, terminals obey ESC), halves of surrogate pairs (UTF-8
 * has none), line separators, and direction overrides (they make one name look like another).
 */
const LINE = /^[^\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]*$/u;
/** The same, but tabs and line ends are allowed. */
const LINES = /^(?:[\t\r\n]|[^\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069])*$/u;
/** At least one character that can be seen. */
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
/** Text of several lines, such as a postal address. */
export const lines = (max: number) => visible(z.string(), max, LINES);
/** Text made by machines: printable ASCII without spaces, which fits into any header, URL and log. */
export const word = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[\x21-\x7e]*$/, 'printable ASCII characters without spaces');
/** Text that is stored unchanged, spaces included: a detail in an event, or an id that a client gets back. */
export const text = (max: number) => z.string().max(max).regex(LINE, TEXT_RULE);

/** An amount of money above 0. It is a decimal string, so that no client's floating point rounds it. */
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
/** A whole number in a URL, where every value is text; it becomes a number. */
export const wholeOfText = (min: number, max: number) => {
  const rule = `a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, { error: rule, abort: true })
    .transform(Number)
    .refine((value) => value >= min && value <= max, rule);
};
/** A count: a safe integer from 0 on, a JSON number. */
export const Count = z.int().min(0);

/** The `next` of a page, base64url: the last row of the page, and the commit that the page reflected. */
export const PageToken = z
  .string()
  .max(500)
  .regex(/^[A-Za-z0-9_-]*$/, 'a page token, as `next` gave it');
/** The name of a stream: a category, a dash, and a key (an id, a symbol, a keyed hash). */
export const StreamName = z
  .string()
  .max(200)
  .regex(/^[a-z]+-[A-Za-z0-9._-]+$/, 'a name of a stream, such as book-AAPL');
/** An id in a path or a query; it becomes lower case, as all ids are. */
export const Id = z.uuid().transform((text) => text.toLowerCase());
