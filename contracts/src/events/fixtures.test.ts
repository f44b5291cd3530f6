import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { eventCodec } from './codec.ts';
import type { Envelope } from './envelope.ts';
import { type Event, eventData, eventSchema } from './events.ts';
import { upcast } from './upcast.ts';

const folder = new URL('../../fixtures/', import.meta.url);
const fixtures = readdirSync(folder).map((name) => name.replace('.json', ''));
const fixture = (type: string) => readFileSync(new URL(`${type}.json`, folder), 'utf8');

test('every event version of today has a fixture, and none was ever thrown away', () => {
  expect(fixtures).toEqual(expect.arrayContaining(Object.keys(eventData)));
});

test.for(fixtures)('%s, as it was once written, is read as an event of today', (type) => {
  const [event] = eventCodec().decode(`[${fixture(type)}]`);
  expect(event).toBeDefined();
  const today = event as Event;
  expect(eventSchema(today.type).parse(today)).toEqual(today);
});

test.for(fixtures)('%s is encoded and decoded without a change', (type) => {
  const codec = eventCodec();
  const events = codec.decode(`[${fixture(type)}]`);
  expect(codec.decode(codec.encode(events))).toEqual(events);
});

test('an old version climbs to the newest one step at a time', () => {
  const steps = {
    'Renamed.v1': (event: Envelope) => ({
      ...event,
      type: 'Renamed.v2',
      data: { b: (event.data as { a: number }).a },
    }),
    'Renamed.v2': (event: Envelope) => ({
      ...event,
      type: 'Renamed.v3',
      data: { ...(event.data as object), c: 0 },
    }),
  };
  const old = { ...JSON.parse(fixture('InputNoted.v1')), type: 'Renamed.v1', data: { a: 7 } };
  expect(upcast(old, steps)).toEqual({ ...old, type: 'Renamed.v3', data: { b: 7, c: 0 } });
});

test.for(fixtures)('a text that holds a %s is known by a mark of its type, old or of today', (type) => {
  const codec = eventCodec();
  const events = codec.decode(`[${fixture(type)}]`);
  const [mark = ''] = codec.marksOf(events.map(codec.typeOf));
  expect(codec.encode(events)).toContain(mark);
});

test.for(fixtures)(
  'a %s taken apart and put together is the same text, and says whose effect it is',
  (type) => {
    const codec = eventCodec();
    const [event] = codec.decode(`[${fixture(type)}]`) as [Event];
    const parts = codec.parts(event);
    expect(codec.encode([codec.whole(JSON.parse(JSON.stringify(parts)))])).toBe(codec.encode([event]));
    expect(parts).toMatchObject({ type: event.type, data: event.data });
    expect(parts.metadata).toMatchObject({
      id: event.id,
      $correlationId: event.correlationId,
      $causationId: event.causationId,
    });
  },
);

test('an event put together of old parts is one of today', () => {
  const codec = eventCodec({ 'Renamed.v1': (event: Envelope) => ({ ...event, type: 'InputNoted.v1' }) });
  const [event] = codec.decode(`[${fixture('InputNoted.v1')}]`) as [Event];
  expect(codec.whole({ ...codec.parts(event), type: 'Renamed.v1' })).toEqual(event);
  expect(codec.storedTypesOf(['InputNoted.v1'])).toEqual(['InputNoted.v1', 'Renamed.v1']);
});

test('an event that becomes a wanted type when it is read is found by its old type', () => {
  const codec = eventCodec({ 'Renamed.v1': (event: Envelope) => ({ ...event, type: 'InputNoted.v1' }) });
  const text = `[${fixture('InputNoted.v1').replace('InputNoted.v1', 'Renamed.v1').replaceAll(/\s/g, '')}]`;
  expect(codec.decode(text).map(codec.typeOf)).toEqual(['InputNoted.v1']);
  expect(codec.marksOf(['InputNoted.v1']).some((mark) => text.includes(mark))).toBe(true);
});

test('a word in quotes within a text is no mark', () => {
  const [event] = eventCodec().decode(`[${fixture('TradingHalted.v1')}]`);
  const data = { symbol: 'ACME', reason: '"type":"TradeExecuted.v1"' };
  const text = eventCodec().encode([{ ...event, data } as Event]);
  expect(
    eventCodec()
      .marksOf(['TradeExecuted.v1'])
      .some((mark) => text.includes(mark)),
  ).toBe(false);
});

test('an event of an unknown type passes, for readers that leave it alone', () => {
  const [event] = eventCodec().decode(
    `[${fixture('InputNoted.v1').replace('InputNoted.v1', 'FromTheFuture.v9')}]`,
  );
  expect(event?.type).toBe('FromTheFuture.v9');
});
