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
 * What an engine knows of its symbol. States: not listed (`listing` is null; every order is rejected) →
 * continuous ⇄ halt; from version 3 of the rules on those of a trading day (`phases.ts`).
 */
export type Engine = {
  readonly symbol: string;
  readonly book: Book;
  /** What icebergs in the book hide. */
  readonly icebergs: Icebergs;
  /** Orders that belong together. */
  readonly lists: Lists;
  /** Lists so far, since it was made or restored: they are due in the order of their placement. */
  listsPlaced: number;
  /** Brackets whose entry has ended and bought something, by their placement: they wait for continuous trading. */
  due: OrderList[];
  /** Brackets whose entry has bought something: prints since then may have reached their stop. */
  readonly watched: Set<OrderList>;
  /** Orders that wait for their trigger. */
  readonly stops: Stops;
  /** Ends by order, of open orders that have one (and of some that ended before it), by arrival. */
  readonly expiries: Map<string, string>;
  /** Orders that wait for the closing call, by arrival. */
  readonly waiting: Map<string, NewOrder>;
  /** Ends that inputs before had no room to tell, in their order. */
  left: BookFact[];
  listing: Listing | null;
  state: MarketState;
  /** The phase of the day: where a halt or a volatility auction comes back to. */
  phase: TradingPhase;
  /** The day's opening auction is over. */
  opened: boolean;
  /** While a call runs, and only then. */
  call: Call | null;
  /** The trade band of the input that is being applied; null before its first match. No state. */
  band: Band | null;
  /** How long the outputs of the input that is being applied may become. No state. */
  outputsEnd: number;
  /** What version 4 of the rules bounds the outputs of an input by; tests bring it near. No state. */
  outputsMax: number;
  /** Bands are switched off by an operator. */
  bandsOff: boolean;
  /** Trades so far: the last trade's number. */
  trades: number;
  /** Price of the last trade; 0 before the first. */
  lastTicks: number;
  /** The market's own time, as its events moved it; empty before the first of them. */
  time: string;
  /** Time of the last trade; empty before the first. No later output carries an earlier time. */
  lastTradeTime: string;
};

export type Call = {
  /** What was told of it last. */
  indicative: Equilibrium;
  /** Its time was up once. */
  extended: boolean;
};

/**
 * What the two sides of a book agree on at one price: the price at which most can be executed; of several, the one with
 * the least surplus; of several still, the highest where all of them leave buyers, the lowest where all leave sellers,
 * else the one nearest the static reference. Prices that count are all limits and the reference itself, brought to
 * where the sides overlap. Where only orders without a limit of their own would trade, it is the reference.
 */
export type Equilibrium = {
  priceTicks: number | null;
  quantity: number;
  /** Shares that one side wants more of at this price. */
  surplus: number;
  surplusSide: 'buy' | 'sell' | null;
};

/**
 * Orders that belong together. A fill of one takes the same shares off the other at once, before any trigger is looked
 * at, wherever it is: in the book, waiting for its trigger, or triggered and waiting for its turn. To cancel one is to
 * cancel both; what ends otherwise leaves the other as it is. Those of a bracket are dormant until its entry has ended
 * (`bracket.ts`).
 */
export type OrderList = {
  readonly listId: string;
  /** Counts lists as they were placed; no state. */
  readonly number: number;
  /** Those that are open, the entry of a bracket aside. */
  readonly legs: string[];
  /** Until the entry has ended and what it bought is offered. */
  entry: Entry | null;
};

export type Entry = {
  readonly orderId: string;
  filled: number;
  /** It has ended; the others wait for continuous trading. */
  isOver: boolean;
  /** The revision of the account's stream that placed the list. */
  readonly revision: number;
  readonly dormant: readonly Dormant[];
  /**
   * The lowest print since its first fill that was none of its own: what it pays on its way is no fall. 0: there was
   * none. Version 4 of the rules.
   */
  lowTicks: number;
};
export type Dormant = EventOf<'OrderPlaced.v1'>['data'];

/** The list of each open order that has one. */
export type Lists = Map<string, OrderList>;
export type KeptList = Omit<OrderList, 'number'>;

export type Listing = {
  readonly rules: SymbolRules;
  /** Version of the matching rules, adopted with the listing or by an event of its own. */
  readonly matchingRules: number;
  /** The static reference: the day's last auction price, else the last close, else the listing price. */
  referenceTicks: number;
  collar: Collar;
};

/** An input at its place: `revision` is that of its own stream. */
export type PlacedInput<E extends EngineInput = EngineInput> = {
  readonly event: E;
  readonly revision: number;
};

/** Outputs of one input; what happens at this bound stands in `bound.ts`. */
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
  due: [],
  watched: new Set(),
  stops: noStops(),
  expiries: new Map(),
  waiting: new Map(),
  left: [],
  listing: null,
  state: 'continuous',
  phase: 'continuous',
  opened: true,
  call: null,
  band: null,
  outputsEnd: OUTPUTS_MAX,
  outputsMax: OUTPUTS_MAX,
  bandsOff: false,
  trades: 0,
  lastTicks: 0,
  time: '',
  lastTradeTime: '',
});

/** What a symbol is, with its collar. Refuses matching rules that this engine does not know. */
export function listing({ rules, matchingRules, referenceTicks }: Omit<Listing, 'collar'>): Listing {
  if (!KNOWN_MATCHING_RULES.includes(matchingRules)) {
    throw new UnknownMatchingRules(
      `matching rules ${matchingRules} are asked for; this engine knows ${KNOWN_MATCHING_RULES.join(', ')}`,
    );
  }
  const least = collarTicksLeast(rules, matchingRules);
  const collar = collarAround(referenceTicks, rules.collarPpm, least);
  return { rules, matchingRules, referenceTicks, collar };
}

/** Whether the symbol follows this version of the matching rules, or a newer one. */
export const follows = ({ listing }: Pick<Engine, 'listing'>, version: number): boolean =>
  listing !== null && listing.matchingRules >= version;

export const NOTED: BookFact = { type: 'InputNoted.v1', data: {} };

/** The last trade, else the static reference. */
export const lastPrice = ({ lastTicks, listing }: Engine): number =>
  lastTicks || (listing?.referenceTicks ?? 0);

/** The time that the outputs of an input carry, once it has been applied: never before the last trade. */
export const outputTime = (engine: Engine, input: { readonly time: string }): string =>
  input.time < engine.lastTradeTime ? engine.lastTradeTime : input.time;
