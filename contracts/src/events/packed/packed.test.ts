import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { eventIdOf, traceparentOf } from '../../base/ids.ts';
import type { Envelope } from '../envelope.ts';
import { eventData } from '../events.ts';
import { fieldsOfData } from './fields.ts';
import { pack, unpack } from './packed.ts';

const COMMIT = '0190a5b0-0000-7000-8000-0000000000f1';
const REQUEST = '0190a5b0-0000-7000-8000-0000000000e1';
const OTHER = '0190a5b0-0000-7000-8000-0000000000e2';
const cause = {
  time: '2026-01-05T14:30:00.000Z',
  actor: 'client:0190a5b0-0000-7000-8000-00000000000a',
  correlationId: REQUEST,
  causationId: REQUEST,
  traceparent: traceparentOf(REQUEST),
};
/** An event at a place of the commit. */
const eventAt = (index: number, type: string, data: unknown, more: object = {}): Envelope => {
  const { key, ...others } = more as { key?: Envelope['key'] };
  const envelope = { id: eventIdOf(COMMIT, index), type, ...cause, ...others };
  return { ...envelope, ...(key ? { key } : {}), data };
};
const canceled = { orderId: REQUEST, accountId: OTHER, symbol: 'ACME' };

/** What a store keeps, and that it is read as what was written: the same fields in the same order. */
function kept(events: readonly Envelope[]): unknown {
  const text = pack(COMMIT, events);
  expect(JSON.stringify(unpack(text, COMMIT))).toBe(JSON.stringify(events));
  return JSON.parse(text);
}

test('what the events of a commit have in common stands once, and what follows from ids not at all', () => {
  const key = { id: OTHER, hash: 'x'.repeat(43) };
  const events = [
    eventAt(0, 'OrderCancelRequested.v1', canceled, { key }),
    eventAt(1, 'TimeApplied.v1', { at: cause.time, nextExpiresAt: null, referenceTicks: 7 }),
    eventAt(2, 'InputNoted.v1', {}, { causationId: OTHER, traceparent: traceparentOf(OTHER) }),
  ];
  expect(kept(events)).toEqual([
    2,
    [0, cause.time, cause.actor, REQUEST, 0, 0],
    { key },
    ['OrderCancelRequested.v1', 0, REQUEST, OTHER, 'ACME'],
    ['TimeApplied.v1', 2, cause.time, null, 7],
    [0, cause.time, cause.actor, REQUEST, OTHER, traceparentOf(OTHER)],
    ['InputNoted.v1', 0],
  ]);
});

test('an object within an event is packed like the event', () => {
  const order = { orderId: REQUEST, accountId: OTHER, revision: 3 };
  const entry = { priceTicks: 9, restingQuantity: 5, entersAfter: 0 };
  const replaced = { side: 'buy', priceTicks: 8, quantity: 5, leavesBefore: 5, leaves: 5, entry };
  const items = kept([eventAt(0, 'OrderReplaced.v1', { order, amendment: 1, ...replaced })]) as unknown[][];
  expect(items[2]).toEqual([
    'OrderReplaced.v1',
    4,
    [0, REQUEST, OTHER, 3],
    1,
    'buy',
    8,
    5,
    5,
    5,
    [0, 9, 5, 0],
  ]);
});

test.for([
  ['of an unknown type', eventAt(0, 'FromTheFuture.v9', { a: 1 })],
  ['with a field that nobody knows', eventAt(0, 'OrderCancelRequested.v1', { ...canceled, more: 1 })],
  ['with a field too few', eventAt(0, 'OrderCancelRequested.v1', { orderId: REQUEST, accountId: OTHER })],
  [
    'in another order',
    eventAt(0, 'OrderCancelRequested.v1', { accountId: OTHER, orderId: REQUEST, symbol: 'ACME' }),
  ],
  ['with an id of its own', { ...eventAt(0, 'InputNoted.v1', {}), id: OTHER }],
  ['with a mark in its envelope', { ...eventAt(0, 'InputNoted.v1', {}), more: true as const }],
] as [string, Envelope][])('an event %s is kept whole', ([, event]) => {
  expect(kept([event, eventAt(1, 'InputNoted.v1', {})])).toEqual([
    2,
    JSON.parse(JSON.stringify(event)),
    [0, cause.time, cause.actor, REQUEST, 0, 0],
    ['InputNoted.v1', 0],
  ]);
});

test('texts of whole events, as older versions wrote them, are read for ever', () => {
  const folder = new URL('../../../fixtures/', import.meta.url);
  const events = readdirSync(folder).map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')));
  expect(unpack(JSON.stringify(events), COMMIT)).toEqual(events);
  // Their ids are of another kind, so that a store to which they are moved keeps them whole, too.
  expect(unpack(pack(COMMIT, events), COMMIT)).toEqual(events);
});

test('what a later version packed, and this one cannot know, is no event of this one', () => {
  const text = (event: unknown[]) => JSON.stringify([2, [0, ...Object.values(cause)], event]);
  expect(() => unpack(text(['FromTheFuture.v9', 0]), COMMIT)).toThrow('FromTheFuture.v9');
  expect(() => unpack(text(['ClientVerified.v1', 2, 'new']), COMMIT)).toThrow('fields that this version');
});

/** The fields of a schema as `fieldsOfData` writes them; those of an object within only where that lists them. */
function fieldsOf(schema: z.ZodObject, listed: string): string[] {
  return Object.entries(schema.shape).map(([name, field]) => {
    const [isOptional, inner] = [field instanceof z.ZodOptional, withoutWrappers(field)];
    const isListed = new RegExp(`\\b${name}\\??\\{([^}]*)\\}`).exec(listed)?.[1];
    const within =
      inner instanceof z.ZodObject && isListed ? `{${fieldsOf(inner, isListed).toSorted().join(' ')}}` : '';
    return `${name}${isOptional ? '?' : ''}${within}`;
  });
}
const withoutWrappers = (schema: z.core.$ZodType): z.core.$ZodType =>
  schema instanceof z.ZodOptional || schema instanceof z.ZodNullable
    ? withoutWrappers(schema._zod.def.innerType)
    : schema;

test.for(Object.entries(eventData))('the listed fields of %s are those of its schema', ([type, schema]) => {
  const listed = fieldsOfData[type] ?? 'is not listed';
  expect(fieldsOf(schema, listed).toSorted()).toEqual(topLevel(listed).toSorted());
});
/** The fields of a list, each with what is in its braces. */
const topLevel = (listed: string) =>
  (listed.match(/[^\s{}]+(\{[^}]*\})?/g) ?? []).map((field) =>
    field.replace(/\{(.*)\}/, (_, within: string) => `{${within.split(' ').toSorted().join(' ')}}`),
  );

test.for(Object.entries(eventData))('whatever a %s holds is read as it was written', ([type, schema]) => {
  fc.assert(
    fc.property(objectOf(schema), (data) => {
      kept([eventAt(0, type, data)]);
    }),
    { numRuns: 20, seed: 7 },
  );
});
/** Objects with the schema's fields in order, some of the optional ones left out, and JSON of any kind in them. */
function objectOf(schema: z.ZodObject): fc.Arbitrary<Record<string, unknown>> {
  const fields = Object.entries(schema.shape).map(([name, field]) => {
    const inner = withoutWrappers(field);
    const value = inner instanceof z.ZodObject ? fc.option(objectOf(inner)) : fc.jsonValue();
    return fc.tuple(
      fc.constant(name),
      field instanceof z.ZodOptional ? fc.boolean() : fc.constant(true),
      value,
    );
  });
  return fc
    .tuple(...fields)
    .map((all) =>
      Object.fromEntries(all.filter(([, isThere]) => isThere).map(([name, , value]) => [name, value])),
    );
}
