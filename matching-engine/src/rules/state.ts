import {
  type BookFact,
  collarTicksLeast,
  type EngineInput,
  type EventOf,
  type MarketState,
  type SymbolRules,
  type TradingPhase,
} from '@brokerx/contracts';
import { type Book, emptyBook, type NewOrder } from '../book/book.ts';
import type { Band } from './auction/band.ts';
import { type Collar, collarAround } from './collar.ts';
import type { Icebergs } from './iceberg.ts';
import { noStops, type Stops } from './stops/stops.ts';

/**
 * The state of a symbol's engine. Until the symbol is listed (`listing` is null), every order is rejected. Then the
 * market is continuous or halted, and from version 3 of the rules on it has the phases of a trading day (`phases.ts`).
 */
export type Engine = {
  readonly symbol: string;
  readonly book: Book;
  /** The hidden parts of the icebergs in the book. */
  readonly icebergs: Icebergs;
  /** The list of each open order that belongs to one. */
  readonly lists: Lists;
  /** The number of lists placed since the engine was made or restored. Lists are numbered by it. */
  listsPlaced: number;
  /** Brackets whose entry has ended with shares bought, in the order of placement. They wait for continuous trading. */
  dueBrackets: OrderList[];
  /** Brackets whose entry has bought shares and whose stop-loss is not active yet, although trades may reach it. */
  readonly watchedBrackets: Set<OrderList>;
  /** Orders that wait for their trigger. */
  readonly stops: Stops;
  /** The end time of each `gtd` order, in order of arrival. Some of these orders may have ended already. */
  readonly expiries: Map<string, string>;
  /** Orders that wait for the closing call, in order of arrival. */
  readonly closingOrders: Map<string, NewOrder>;
  /** Ends of orders that are not reported yet, because earlier inputs had no room for them (`bound.ts`); in order. */
  deferredEnds: BookFact[];
  listing: Listing | null;
  state: MarketState;
  /** The phase of the day, to which the market returns after a halt or a volatility auction. */
  phase: TradingPhase;
  /** The day's opening auction is over. */
  opened: boolean;
  /** The running call; null when none runs. */
  call: Call | null;
  /** The trade band of the current input; null before its first match. Not part of the state. */
  band: Band | null;
  /** The most outputs of the current input. Not part of the state. */
  outputsBound: number;
  /** The most outputs of any input under version 4 of the rules; tests lower it. Not part of the state. */
  outputsMax: number;
  /** An operator has switched the bands off for this symbol. */
  bandsOff: boolean;
  /** The number of trades so far, which is the last trade's number. */
  trades: number;
  /** Price of the last trade; 0 before the first. */
  lastTicks: number;
  /** The market's time, which only events of the market move; empty before the first. */
  time: string;
  /** Time of the last trade; empty before the first. No later output carries an earlier time. */
  lastTradeTime: string;
};

export type Call = {
  /** The indicative result in the last output. */
  indicative: Equilibrium;
  /** The call was extended once; it is not extended again. */
  extended: boolean;
};

/**
 * The result of an auction: the price at which most shares can be executed. Among several such prices it is the one
 * with the least surplus; among several still, the highest if all leave buyers, the lowest if all leave sellers, else
 * the one nearest the static reference. Candidates are all limits, and the reference moved into the range where the
 * sides overlap. If only orders without a limit of their own would trade, the price is the reference.
 */
export type Equilibrium = {
  priceTicks: number | null;
  quantity: number;
  /** Shares at this price that find no counterparty, and their side. */
  surplus: number;
  surplusSide: 'buy' | 'sell' | null;
};

/**
 * A list of orders. A fill of one leg takes the same shares off the other at once, before any trigger is checked,
 * wherever the other is: in the book, waiting for its trigger, or triggered and waiting for its turn. Canceling one
 * cancels both; any other end leaves the other unchanged. The legs of a bracket are dormant until its entry has ended
 * (`bracket.ts`).
 */
export type OrderList = {
  readonly listId: string;
  /** The list's number in the order of placement. Not part of the state. */
  readonly number: number;
  /** The open orders of the list, without the entry of a bracket. */
  readonly legs: string[];
  /** The entry of a bracket; null once it has ended and its legs have arrived. */
  entry: Entry | null;
};

export type Entry = {
  readonly orderId: string;
  filled: number;
  /** The entry has ended; its legs wait for continuous trading. */
  isOver: boolean;
  /** The revision of the account's stream that placed the list. */
  readonly revision: number;
  /** The legs as they were placed. They arrive with the quantity that the entry has bought. */
  readonly dormant: readonly DormantOrder[];
  /**
   * The lowest price of others' trades since the entry's first fill; 0 before one. The entry's own trades do not count,
   * because they are no fall of the market. Version 4 of the rules.
   */
  lowTicks: number;
};
export type DormantOrder = EventOf<'OrderPlaced.v1'>['data'];

/** The list of each open order that has one. */
export type Lists = Map<string, OrderList>;
/** A list as a snapshot stores it. */
export type StoredList = Omit<OrderList, 'number'>;

export type Listing = {
  readonly rules: SymbolRules;
  /** Version of the matching rules, adopted with the listing or by an event of its own. */
  readonly matchingRules: number;
  /** The static reference: the day's last auction price, else the last close, else the listing price. */
  referenceTicks: number;
  collar: Collar;
};

/** An input, with its revision in its own stream. */
export type PlacedInput<E extends EngineInput = EngineInput> = {
  readonly event: E;
  readonly revision: number;
};

/** The most outputs of one input. `bound.ts` says what happens beyond it. */
export const OUTPUTS_MAX = 20_000;

/** The matching rules that this engine can run. A published version is never changed: a new one is added. */
export const KNOWN_MATCHING_RULES: readonly number[] = [1, 2, 3, 4];

export class UnknownMatchingRules extends Error {
  override name = 'UnknownMatchingRules';
}

export const newEngine = (symbol: string): Engine => ({
  symbol,
  book: emptyBook(),
  icebergs: new Map(),
  lists: new Map(),
  listsPlaced: 0,
  dueBrackets: [],
  watchedBrackets: new Set(),
  stops: noStops(),
  expiries: new Map(),
  closingOrders: new Map(),
  deferredEnds: [],
  listing: null,
  state: 'continuous',
  phase: 'continuous',
  opened: true,
  call: null,
  band: null,
  outputsBound: OUTPUTS_MAX,
  outputsMax: OUTPUTS_MAX,
  bandsOff: false,
  trades: 0,
  lastTicks: 0,
  time: '',
  lastTradeTime: '',
});

/** The symbol's listing, with its collar. Throws `UnknownMatchingRules` if this engine lacks the rules. */
export function listing({ rules, matchingRules, referenceTicks }: Omit<Listing, 'collar'>): Listing {
  if (!KNOWN_MATCHING_RULES.includes(matchingRules)) {
    throw new UnknownMatchingRules(
      `matching rules ${matchingRules} are asked for; this engine knows ${KNOWN_MATCHING_RULES.join(', ')}`,
    );
  }
  const ticksMin = collarTicksLeast(rules, matchingRules);
  const collar = collarAround(referenceTicks, rules.collarPpm, ticksMin);
  return { rules, matchingRules, referenceTicks, collar };
}

/** Whether the symbol follows this version of the matching rules, or a newer one. */
export const follows = ({ listing }: Pick<Engine, 'listing'>, version: number): boolean =>
  listing !== null && listing.matchingRules >= version;

/** The output of an input that has no other. */
export const NOTED: BookFact = { type: 'InputNoted.v1', data: {} };

/** The price of the last trade, or the static reference before the first. */
export const lastPrice = ({ lastTicks, listing }: Engine): number =>
  lastTicks || (listing?.referenceTicks ?? 0);

/** The time of an input's outputs: the input's own, but never before the last trade. */
export const outputTime = (engine: Engine, input: { readonly time: string }): string =>
  input.time < engine.lastTradeTime ? engine.lastTradeTime : input.time;
