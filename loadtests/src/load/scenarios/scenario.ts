import { z } from 'zod';

/**
 * A load as data: who sends what, how often, and what happens beside it. A scenario names no address and no account, so that
 * it runs against any installation; options of the command replace its numbers.
 */

/** What a user may do. Each is one request, except that `batch` places many orders with one. */
export const Action = z.enum([
  'place',
  'batch',
  'place_over_websocket',
  'cancel',
  'deposit',
  'sign_in',
  'wallet',
  'holdings',
  'orders',
  'depth',
  'ticker',
]);
export type Action = z.infer<typeof Action>;

/** Actions that place orders. Their rate and latency are the headline of a run. */
export const PLACING: readonly Action[] = ['place', 'batch', 'place_over_websocket'];

const Share = z.number().min(0).max(1);
const Count = z.int().min(0);

/** A part of the run: the rate goes in a straight line `from` → `to`, as multiples of the scenario's rate. */
const Phase = z.strictObject({ share: Share, from: z.number().min(0), to: z.number().min(0) });
export type Phase = z.infer<typeof Phase>;

/** Requests at fixed times, whatever the replies do (an open loop). `rate` 0: each user sends as fast as answers come. */
const ByRate = z.strictObject({
  by: z.literal('rate'),
  /** Requests a second of all users together. */
  rate: Count,
  phases: z
    .array(Phase)
    .min(1)
    .default([{ share: 1, from: 1, to: 1 }]),
  /** How often each action is, in relation to the others. */
  mix: z.partialRecord(Action, z.number().positive()),
});

/** Users who do one thing after the other and wait for each answer (a closed loop), as people and scripts of k6 do. */
const ByUsers = z.strictObject({
  by: z.literal('users'),
  rampUpSeconds: Count,
  rampDownSeconds: Count,
  /** What each user does, again and again. */
  journey: z.array(Action).min(1),
  /** Pause after each journey. */
  restMs: Count,
});

/** What orders are like. */
const Orders = z.discriminatedUnion('kind', [
  /** As on a busy market: makers, takers, orders that wait away from the market and such as miss at once. */
  z.strictObject({ kind: z.literal('market') }),
  /** Far from the market: they only rest. */
  z.strictObject({ kind: z.literal('resting') }),
  /** The same order all the time. */
  z.strictObject({ kind: z.literal('fixed'), symbol: z.string(), qty: z.string(), limitPrice: z.string() }),
]);

export const Scenario = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/),
  /** What it is for, in one sentence. */
  says: z.string(),
  drive: z.discriminatedUnion('by', [ByRate, ByUsers]),
  seconds: z.int().min(1),
  /** Time before it that is not measured. */
  warmUpSeconds: Count.default(5),
  users: z.int().min(1),
  symbols: z.int().min(1).default(5),
  /** Share of the orders that are for the first symbol. */
  hotSymbolShare: Share.default(0.5),
  /** Share of the requests that the first user sends. */
  hotUserShare: Share.default(0),
  orders: Orders.default({ kind: 'market' }),
  /** Cash of each user. */
  cashCents: Count.default(10_000_000_000),
  /** Clients that read market data as fast as it comes, and such as open a stream and then read nothing. */
  followers: Count.default(0),
  slowClients: Count.default(0),
  /** Processes that are killed (SIGKILL), and at which share of the run. On an installation of its own only. */
  kills: z.array(z.strictObject({ process: z.string(), at: Share })).default([]),
});
export type Scenario = z.infer<typeof Scenario>;
/** A scenario as its file has it, defaults left out. */
export type ScenarioFile = z.input<typeof Scenario>;
