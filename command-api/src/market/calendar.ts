import {
  type MarketFact,
  type MarketState,
  secondsOf,
  type TradingPhase,
  type TradingSession,
  timeOf,
} from '@brokerx/contracts';

/**
 * The calendar of a market says which phase of the trading day is due when, by the market's own clock. That clock may run
 * faster than real time and never goes back. Missed phases are made up for in order; whole missed days are passed over.
 */
export type Clock = { realMs: number; marketMs: number; factor: number };

/** A clock that shows real time. */
export const REAL_TIME: Clock = { realMs: 0, marketMs: 0, factor: 1 };

/** The part of a market that its calendar needs. */
export type TradingDay = {
  symbol: string;
  /** Null: the symbol trades around the clock. */
  session: TradingSession | null;
  clock: Clock;
  state: MarketState;
  /** When the latest phase was due. */
  phaseAt: string;
};

export const marketMs = ({ clock }: { clock: Clock }, nowMs: number): number =>
  clock.marketMs + (nowMs - clock.realMs) * clock.factor;

type Due = { atMs: number; phase: TradingPhase };
const DAY_MS = 24 * 3_600_000;
const WEEK_DAYS = 7;

/** The phases of the day that begins at `dayMs`; none on a day on which the market stays closed. */
function phasesOf(session: TradingSession, dayMs: number): Due[] {
  // Day 0 of Unix time was a Thursday.
  const weekday = ((Math.floor(dayMs / DAY_MS) + 3) % WEEK_DAYS) + 1;
  if (!session.weekdays.includes(weekday)) return [];
  const { openingCallSeconds, closingCallSeconds, randomEndSeconds } = session;
  const at = (seconds: number, phase: TradingPhase): Due => ({ atMs: dayMs + seconds * 1_000, phase });
  const closes = secondsOf(session.closes);
  const closed = closes + closingCallSeconds + randomEndSeconds;
  return [
    at(secondsOf(session.preOpen), 'pre_open'),
    at(secondsOf(session.opens), openingCallSeconds > 0 ? 'opening_auction' : 'continuous'),
    ...(closingCallSeconds > 0
      ? [at(closes, 'closing_auction'), at(closed, 'closed')]
      : [at(closes, 'closed')]),
  ];
}

const startOfDay = (ms: number): number => ms - (((ms % DAY_MS) + DAY_MS) % DAY_MS);
const daysFrom = (ms: number, count: number): number[] =>
  Array.from({ length: Math.abs(count) + 1 }, (_, n) => startOfDay(ms) + Math.sign(count) * n * DAY_MS);

/** The latest phase that has begun at this time. */
export function phaseAt(session: TradingSession, ms: number): Due {
  const past = daysFrom(ms, -WEEK_DAYS).flatMap((day) => phasesOf(session, day));
  const begun = past.filter(({ atMs }) => atMs <= ms);
  return begun.reduce((a, b) => (b.atMs > a.atMs ? b : a));
}

/** The next phase that is due by now, after the market's latest phase. */
export function nextPhase(market: TradingDay, nowMs: number): MarketFact | null {
  const { session, symbol } = market;
  if (!session) return null;
  const now = marketMs(market, nowMs);
  const lastMs = Date.parse(market.phaseAt);
  const rest = phasesOf(session, startOfDay(lastMs)).filter(({ atMs }) => atMs > lastMs);
  // The remaining phases of the begun day come first; whole days that are over are passed over.
  const today = phasesOf(session, startOfDay(phaseAt(session, now).atMs)).filter(({ atMs }) => atMs > lastMs);
  const due = [...rest, ...today].find(({ atMs }) => atMs <= now);
  if (!due) return null;
  return { type: 'TradingPhaseBegan.v1', data: { symbol, phase: due.phase, at: timeOf(due.atMs) } };
}

/** Length of the running auction call, and the most that chance adds to it, in milliseconds of the market's time. */
export function callLength({ session, state }: Pick<TradingDay, 'session' | 'state'>): {
  leastMs: number;
  randomMs: number;
} {
  if (!session) return { leastMs: CALL_MS, randomMs: CALL_RANDOM_MS };
  const seconds =
    state === 'opening_auction'
      ? session.openingCallSeconds
      : state === 'closing_auction'
        ? session.closingCallSeconds
        : session.volatilityCallSeconds;
  return { leastMs: seconds * 1_000, randomMs: session.randomEndSeconds * 1_000 };
}

/** Without a calendar: long enough to be seen, short enough to wait for. */
export const CALL_MS = 10_000;
export const CALL_RANDOM_MS = 5_000;
