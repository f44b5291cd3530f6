import { expect, test } from 'vitest';
import { type Noted, notedCodec } from '../../../test/noted.ts';
import type { FetchedMessage } from '../../kafka/fetch.ts';
import { topicWindow, windowReader } from './window.ts';

const STORE = '7b5f0d0e-6f3a-4c7e-9a54-0a4c2a3f9d11';
const ALL = windowReader({}, [0, 1], notedCodec);
const ONE = windowReader({}, [0], notedCodec);

type Given = { epoch?: number; storeId?: string; stream?: string };

/** An event; one without text is a watermark. */
function message(offset: number, position: number, text: string | null, given: Given = {}): FetchedMessage {
  const { epoch = 1, storeId = STORE, stream = 'account-1' } = given;
  const headers = { store: storeId, epoch: String(epoch), position: String(position) };
  return {
    offset: BigInt(offset),
    key: null,
    value: Buffer.from(text === null ? '' : JSON.stringify({ text })),
    headers:
      text === null
        ? { ...headers, type: 'watermark' }
        : { ...headers, type: 'noted', stream, revision: String(position), commit: 'c', symbol: '' },
    timestampMs: 0,
  };
}

function opened({ eventsMax = 100, bytesMax = 1_000_000 } = {}) {
  const gaps: string[] = [];
  const window = topicWindow<Noted>({
    storeId: STORE,
    codec: notedCodec,
    partitions: 2,
    eventsMax,
    bytesMax,
    onGap: (partition, why) => gaps.push(`${partition}: ${why}`),
  });
  return { window, gaps };
}

const textsOf = (gathered: { events: { event: Noted }[] } | null) =>
  gathered && gathered.events.map(({ event }) => event.text);

test('the first message says where a partition begins: what follows it is here, it and all before are not', () => {
  const { window } = opened();
  expect(window.gather(ONE, [0, 0], 10)).toBeNull();
  window.put(0, [message(7, 20, 'a'), message(8, 21, 'b'), message(9, 25, null)]);
  expect(window.gather(ONE, [19, 0], 10)).toBeNull();
  expect(window.gather(ONE, [20, 0], 10)).toMatchObject({ places: [25, 25], live: true });
  expect(textsOf(window.gather(ONE, [20, 0], 10))).toEqual(['b']);
  expect(textsOf(window.gather(ONE, [21, 0], 10))).toEqual([]);
  expect([window.reached([0]), window.reached([1]), window.reached([0, 1])]).toEqual([25, -1, -1]);
});

test('events of several partitions come in the order of positions, so many at a time', () => {
  const { window } = opened();
  window.put(0, [message(0, 1, null), message(1, 3, 'c'), message(2, 5, 'e'), message(3, 6, 'f')]);
  window.put(1, [message(0, 1, null), message(1, 2, 'b'), message(2, 4, 'd')]);
  const first = window.gather(ALL, [1, 1], 2);
  expect(first).toMatchObject({ places: [3, 3], live: false });
  expect(textsOf(first)).toEqual(['b', 'c']);
  const second = window.gather(ALL, first?.places ?? [], 2);
  expect(second).toMatchObject({ places: [5, 4], live: false });
  expect(textsOf(second)).toEqual(['d', 'e']);
  const third = window.gather(ALL, second?.places ?? [], 2);
  expect(third).toMatchObject({ places: [6, 4], live: true });
  expect(textsOf(third)).toEqual(['f']);
});

test('a partition that is behind holds up nobody but its own events', () => {
  const { window } = opened();
  window.put(0, [message(0, 1, null), message(1, 50, 'far')]);
  window.put(1, [message(0, 1, null)]);
  const ahead = window.gather(ALL, [1, 1], 10);
  expect(textsOf(ahead)).toEqual(['far']);
  expect(ahead?.places).toEqual([50, 1]);
  window.put(1, [message(1, 2, 'late')]);
  expect(textsOf(window.gather(ALL, ahead?.places ?? [], 10))).toEqual(['late']);
});

test('only what is wanted is decoded', () => {
  const { window } = opened();
  const unreadable = { ...message(1, 2, 'x', { stream: 'book-1' }), value: Buffer.from('<placed>') };
  window.put(0, [message(0, 1, null), unreadable, message(2, 3, 'filled a'), message(3, 4, 'fill b')]);
  const accounts = windowReader({ categories: ['account'], types: ['filled'] }, [0], notedCodec);
  expect(textsOf(window.gather(accounts, [1, 1], 10))).toEqual(['filled a']);
  expect(() => window.gather(ONE, [1, 1], 10)).toThrow();
});

test('what came before, or is of another store, or of an earlier relay, or no message of a relay, is left out', () => {
  const { window, gaps } = opened();
  window.put(0, [
    message(0, 10, null, { epoch: 3 }),
    message(1, 11, 'a', { epoch: 3 }),
    message(2, 11, 'again', { epoch: 3 }),
    message(3, 5, 'older', { epoch: 3 }),
    message(4, 40, 'foreign', { epoch: 9, storeId: 'another' }),
    message(5, 30, 'of a relay that was replaced', { epoch: 2 }),
    { ...message(6, 50, 'x'), headers: {} },
    { ...message(7, 50, 'x'), headers: { ...message(7, 50, 'x').headers, position: '-1' } },
    message(8, 12, 'b', { epoch: 3 }),
  ]);
  expect(textsOf(window.gather(ONE, [10, 0], 10))).toEqual(['a', 'b']);
  expect(gaps).toEqual([]);
});

test('where offsets have a gap the partition begins anew', () => {
  const { window, gaps } = opened();
  window.put(0, [message(0, 1, null), message(1, 2, 'a')]);
  window.put(0, [message(3, 4, 'c'), message(4, 5, 'd')]);
  expect(gaps).toEqual(['0: offset 3 came instead of 2']);
  expect(window.gather(ONE, [2, 0], 10)).toBeNull();
  expect(textsOf(window.gather(ONE, [4, 0], 10))).toEqual(['d']);
  // Backwards, too: it may be another topic of the same name.
  window.put(0, [message(0, 9, 'other'), message(1, 10, 'topic')]);
  expect(window.gather(ONE, [5, 0], 10)).toBeNull();
  expect(textsOf(window.gather(ONE, [9, 0], 10))).toEqual(['topic']);
});

test('a new relay is believed about what it sends, not about what its predecessor sent', () => {
  const { window, gaps } = opened();
  window.put(0, [message(0, 1, null), message(1, 2, 'a')]);
  // It goes on from where the partition is, or before: nothing can lack.
  window.put(0, [message(2, 2, null, { epoch: 2 }), message(3, 3, 'b', { epoch: 2 })]);
  window.put(0, [message(4, 1, 'a', { epoch: 3 }), message(5, 4, 'c', { epoch: 3 })]);
  expect(textsOf(window.gather(ONE, [1, 0], 10))).toEqual(['a', 'b', 'c']);
  expect(gaps).toEqual([]);
  window.put(0, [message(6, 8, 'e', { epoch: 4 }), message(7, 9, 'f', { epoch: 4 })]);
  expect(gaps).toEqual(['0: a relay of epoch 4 goes on after one of epoch 3']);
  expect(window.gather(ONE, [4, 0], 10)).toBeNull();
  expect(textsOf(window.gather(ONE, [8, 0], 10))).toEqual(['f']);
});

test('a partition that lacks something is not read, as long as its relay says so', () => {
  const { window, gaps } = opened();
  const lacking = (offset: number, position: number, text: string | null) => {
    const whole = message(offset, position, text);
    return { ...whole, headers: { ...whole.headers, withheld: '1' } };
  };
  window.put(0, [message(0, 1, null), message(1, 2, 'a'), lacking(2, 4, 'c'), lacking(3, 5, null)]);
  expect(window.gather(ONE, [5, 0], 10)).toBeNull();
  expect(window.reached([0])).toBe(-1);
  expect(gaps).toEqual(['0: the relay has withheld something at or below 4']);
  window.put(0, [message(4, 6, null), message(5, 7, 'g')]);
  expect(textsOf(window.gather(ONE, [6, 0], 10))).toEqual(['g']);
});

test('what all have is forgotten, and the oldest of what is too much is dropped', () => {
  const { window } = opened({ eventsMax: 20 });
  const many = (partition: number, from: number) =>
    Array.from({ length: 11 }, (_, i) => message(i, from + 2 * i, i === 0 ? null : `${partition}.${i}`));
  window.put(0, many(0, 100));
  window.put(1, many(1, 101));
  expect(window.isFull()).toBe(false);
  window.forget([104, 103]);
  expect(window.covers(ALL, [104, 103])).toBe(true);
  expect(window.gather(ALL, [103, 103], 100)).toBeNull();
  expect(textsOf(window.gather(ALL, [104, 103], 3))).toEqual(['1.2', '0.3', '1.3']);

  window.put(
    0,
    Array.from({ length: 10 }, (_, i) => message(11 + i, 130 + i, 'new')),
  );
  expect(window.isFull()).toBe(true);
  window.dropOldest();
  expect(window.isFull()).toBe(false);
  expect(window.gather(ALL, [104, 103], 3)).toBeNull();
  const left = textsOf(window.gather(ALL, [120, 121], 100)) ?? [];
  expect(left.filter((text) => text === 'new')).toHaveLength(10);
});

test('it is full of bytes as well', () => {
  const { window } = opened({ bytesMax: 1_000 });
  window.put(
    0,
    Array.from({ length: 12 }, (_, i) => message(i, i + 1, 'x'.repeat(100))),
  );
  expect(window.isFull()).toBe(true);
  window.dropOldest();
  expect(window.isFull()).toBe(false);
  expect(window.gather(ONE, [1, 0], 100)).toBeNull();
  expect(window.gather(ONE, [5, 0], 100)?.events.length).toBeGreaterThan(5);
});

test('nothing is behind a place that has all', () => {
  const { window } = opened();
  window.put(0, [message(0, 1, null), message(1, 2, 'a')]);
  expect(window.hasNothingFor(ONE, [1, 0])).toBe(false);
  expect(window.hasNothingFor(ONE, [2, 0])).toBe(true);
});
