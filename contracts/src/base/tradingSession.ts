import { z } from 'zod';

/**
 * A symbol's trading day: when its phases begin (in UTC, within one UTC day) and how long its auction calls run. A
 * length of 0 means no such call. A market without a trading session trades around the clock.
 */
const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day in UTC, HH:MM');
const CALL_SECONDS_MAX = 3_600;
const callSeconds = z.int().min(0).max(CALL_SECONDS_MAX);
/** The fastest that a market's clock may run, as a multiple of real time: one day in a second. */
export const CLOCK_FACTOR_MAX = 86_400;

const fields = {
  /** 1 is Monday, as in ISO 8601. */
  weekdays: z.array(z.int().min(1).max(7)).min(1).max(7),
  /** Orders gather from here on; nothing is matched. */
  preOpen: timeOfDay,
  /** The opening call begins. */
  opens: timeOfDay,
  /** The closing call begins. */
  closes: timeOfDay,
  openingCallSeconds: callSeconds,
  /** The length of a volatility auction, and of the auction that ends a halt. */
  volatilityCallSeconds: callSeconds.min(1),
  closingCallSeconds: callSeconds,
  /** The most seconds by which a call is prolonged at random. */
  randomEndSeconds: z.int().min(0).max(300),
};

export const TradingSession = z.strictObject(fields);
export type TradingSession = z.infer<typeof TradingSession>;

const MINUTE_SECONDS = 60;
/** A time of day (`HH:MM`) as seconds since midnight. */
export const secondsOf = (time: string): number =>
  (Number(time.slice(0, 2)) * MINUTE_SECONDS + Number(time.slice(3))) * MINUTE_SECONDS;

/** The same fields under their names on the wire. */
export const SessionFields = {
  weekdays: fields.weekdays.describe('1 is Monday.'),
  pre_open: timeOfDay.describe('UTC: orders gather.'),
  opens: timeOfDay.describe('UTC: the opening call begins.'),
  closes: timeOfDay.describe('UTC: the closing call begins.'),
  opening_call_seconds: callSeconds.describe('0: trading begins without one.'),
  volatility_call_seconds: fields.volatilityCallSeconds,
  closing_call_seconds: callSeconds.describe('0: the market closes without one.'),
  random_end_seconds: fields.randomEndSeconds.describe('What chance adds to a call, at most.'),
};
export const SessionView = z.object(SessionFields);
export type SessionView = z.infer<typeof SessionView>;

export const sessionView = (session: TradingSession): SessionView => ({
  weekdays: session.weekdays,
  pre_open: session.preOpen,
  opens: session.opens,
  closes: session.closes,
  opening_call_seconds: session.openingCallSeconds,
  volatility_call_seconds: session.volatilityCallSeconds,
  closing_call_seconds: session.closingCallSeconds,
  random_end_seconds: session.randomEndSeconds,
});
export const sessionOf = (view: SessionView): TradingSession => ({
  weekdays: [...new Set(view.weekdays)].sort(),
  preOpen: view.pre_open,
  opens: view.opens,
  closes: view.closes,
  openingCallSeconds: view.opening_call_seconds,
  volatilityCallSeconds: view.volatility_call_seconds,
  closingCallSeconds: view.closing_call_seconds,
  randomEndSeconds: view.random_end_seconds,
});
