import type { z } from 'zod';
import { type AccountFact, accountEvents } from './account.ts';
import { type BookFact, bookEvents } from './book.ts';
import { type ClientFact, clientEvents } from './client.ts';
import { type Envelope, envelope } from './envelope.ts';
import { type MarketFact, marketEvents } from './market.ts';

/** All events: the unions of their types, and their schemas by type. A fact is an event without its envelope. */
export type Fact = ClientFact | AccountFact | MarketFact | BookFact;
type InEnvelope<F> = F extends { type: infer T extends string; data: infer D } ? Envelope<T, D> : never;
export type Event = InEnvelope<Fact>;
export type ClientEvent = InEnvelope<ClientFact>;
export type AccountEvent = InEnvelope<AccountFact>;
export type MarketEvent = InEnvelope<MarketFact>;
export type BookEvent = InEnvelope<BookFact>;
export type EventOf<T extends Event['type']> = Extract<Event, { type: T }>;

/** The events that a matching engine applies, in the order of the store. Each belongs to one symbol. */
export const ENGINE_INPUTS = [
  'OrderPlaced.v1',
  'OrderListPlaced.v1',
  'OrderCancelRequested.v1',
  'OrderAmendRequested.v1',
  ...(Object.keys(marketEvents) as (keyof typeof marketEvents)[]),
] as const;
export type EngineInput = EventOf<(typeof ENGINE_INPUTS)[number]>;
const inputs: ReadonlySet<string> = new Set(ENGINE_INPUTS);
export const isEngineInput = (event: Event): event is EngineInput => inputs.has(event.type);

/** Data schemas by event type. */
export const eventData = { ...clientEvents, ...accountEvents, ...marketEvents, ...bookEvents };

/** The whole event's schema, for documents, fixtures and audits. */
export function eventSchema(type: Event['type']): z.ZodType {
  return envelope(type, eventData[type]);
}
