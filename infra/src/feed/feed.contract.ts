import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commit as commitTo, type Noted } from '../../test/noted.ts';
import { isOwn, named, ownEvents, type Stage, WAIT_MS } from '../../test/stage.ts';
import { ForeignCursor } from '../eventStore/cursor.ts';
import { type Commit, type EventStore, matcher, NO_STREAM, type Recorded } from '../eventStore/eventStore.ts';
import { heardElsewhere } from '../runtime/mayFail.ts';
import { QUIET_INTERVAL_MS } from './consumer.ts';
import type { Batch, Consumer, Feed } from './feed.ts';

/** What every adapter of the feed must do. `open` gives a store, of the test's own or shared, and a feed of it. */
export function feedContract(
  name: string,
  open: () => Promise<Stage & { feed: Feed<Noted> }>,
  { keepsText }: { keepsText: boolean },
): void {
  describe(`${name}: feed`, () => {
    let stage: Stage;
    let store: EventStore<Noted>;
    let feed: Feed<Noted>;
    beforeEach(async () => {
      const opened = await open();
      stage = opened;
      ({ store, feed } = opened);
    });
    afterEach(async () => {
      await feed.close();
      await stage.close();
    });
    const commit: typeof commitTo = (stream, ...rest) => commitTo(named(stage, stream), ...rest);
    const appendTexts = (stream: string, texts: string[], expectedRevision = NO_STREAM) =>
      append(commit(stream, expectedRevision, texts));
    /** Gives the position of the last event of all. */
    const append = async (...commits: Commit<Noted>[]) => {
      const verdicts = await store.append(commits);
      return Math.max(
        ...verdicts.map((verdict) => {
          expect(verdict.verdict).toBe('ok');
          return 'position' in verdict ? verdict.position : 0;
        }),
      );
    };
    /** A consumer that begins where this test does, and keeps what is of this test. */
    const collector = (given: Partial<Consumer<Noted>>) =>
      collecting(
        { after: stage.from === 0 ? null : { storeId: store.id, position: stage.from }, ...given },
        (event) => isOwn(stage, event),
      );

    test('a consumer gets what was there before and what comes later, in order, in small batches', async () => {
      const first = await appendTexts('account-1', ['a', 'b', 'c', 'd', 'e']);
      const consumer = collector({ batchEventsMax: 2 });
      const subscription = feed.subscribe(consumer);
      await subscription.reached(first, WAIT_MS);
      const last = await appendTexts('account-1', ['f', 'g', 'h'], 4);
      await subscription.reached(last, WAIT_MS);
      expect(textsOf(consumer)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
      expect(consumer.events).toEqual(await ownEvents(stage));
      expect(Math.max(...consumer.batches.map(({ events }) => events.length))).toBe(2);
      expect(subscription.position()).toBeGreaterThanOrEqual(last);
      expect(feed.head()).toBeGreaterThanOrEqual(last);
      if (stage.tag !== null) return;
      await expect.poll(() => consumer.batches.at(-1)).toMatchObject({ position: last, live: true });
      expect(subscription.position()).toBe(last);
      expect(feed.head()).toBe(last);
    });

    test('a consumer goes on after its cursor, inside a commit too', async () => {
      const last = await appendTexts('account-1', ['a', 'b', 'c', 'd']);
      const position = (await ownEvents(stage))[1]?.position ?? 0;
      const consumer = collector({ after: { storeId: store.id, position } });
      await feed.subscribe(consumer).reached(last, WAIT_MS);
      expect(textsOf(consumer)).toEqual(['c', 'd']);
    });

    test('a cursor of another store is refused at once', () => {
      const after = { storeId: '00000000-0000-4000-8000-000000000000', position: 2 };
      expect(() => feed.subscribe(collector({ after }))).toThrow(ForeignCursor);
    });

    test('consumers with different filters each get their own, and the quiet ones are told positions', async () => {
      const accounts = collector({ filter: { categories: ['account'] } });
      const engine = collector({ filter: { symbols: ['ACME'] } });
      const nothing = collector({ filter: { streams: [named(stage, 'market-NONE')] } });
      const typed = collector({ filter: { categories: ['book', 'market'], types: ['traded'] } });
      const all = collector({});
      const subscriptions = [accounts, engine, nothing, typed, all].map((consumer) =>
        feed.subscribe(consumer),
      );
      const begunMs = performance.now();
      let last = 0;
      for (let i = 0; i < 20; i++) {
        last = await append(
          commit('account-1', i - 1, [`account ${i}`], { symbol: i % 2 === 0 ? 'ACME' : null }),
          commit('book-ACME', i - 1, [i % 3 === 0 ? `traded ${i}` : `book ${i}`]),
        );
        if (i % 5 === 0) await delay(5);
      }
      await Promise.all(subscriptions.map((subscription) => subscription.reached(last, WAIT_MS)));
      const everything = await ownEvents(stage);
      expect(everything).toHaveLength(40);
      for (const consumer of [accounts, engine, nothing, typed, all]) {
        expect(consumer.events).toEqual(everything.filter(matcher(consumer.filter, store.codec)));
      }
      for (const subscription of subscriptions) {
        expect(subscription.position()).toBeGreaterThanOrEqual(last);
        if (stage.tag === null) expect(subscription.position()).toBe(last);
      }
      // Told now and then, not once for each event.
      const tellings = (performance.now() - begunMs) / QUIET_INTERVAL_MS + 2;
      expect(nothing.batches.length).toBeLessThanOrEqual(tellings);
    });

    test.runIf(keepsText)(
      'what no consumer wants is never read, neither behind nor at the head, and positions move on',
      async () => {
        const unreadable = (revision: number) => ({
          ...commit('account-1', revision, ['a', 'b']),
          text: '<placed>',
        });
        await store.append([unreadable(NO_STREAM), commit('account-2', NO_STREAM, ['filled 1', 'placed 1'])]);
        const fills = collector({ filter: { categories: ['account'], types: ['filled'] } });
        const deposits = collector({ filter: { streams: ['account-2'], types: ['settled'] } });
        const books = collector({ filter: { categories: ['book'] } });
        const subscriptions = [fills, deposits, books].map((consumer) => feed.subscribe(consumer));
        const reached = (position: number) =>
          Promise.all(subscriptions.map((subscription) => subscription.reached(position, WAIT_MS)));
        await reached(4);
        await delay(10);
        await store.append([unreadable(1), commit('book-ACME', NO_STREAM, ['traded 1'])]);
        await reached(7);
        await store.append([unreadable(3), commit('account-2', 1, ['settled 1', 'filled 2'])]);
        await reached(11);
        expect([fills, deposits, books].map(textsOf)).toEqual([
          ['filled 1', 'filled 2'],
          ['settled 1'],
          ['traded 1'],
        ]);
      },
    );

    test('an append wakes a live consumer', async () => {
      const arrivedAtMs: number[] = [];
      const subscription = feed.subscribe(
        collector({
          handle: async ({ events }) => {
            for (const event of events) if (isOwn(stage, event)) arrivedAtMs.push(performance.now());
          },
        }),
      );
      await subscription.reached(await appendTexts('account-1', ['first']), WAIT_MS);
      const latenciesMs: number[] = [];
      for (let i = 0; i < 9; i++) {
        const position = await appendTexts('account-1', ['next'], i);
        const verdictAtMs = performance.now();
        await subscription.reached(position, WAIT_MS);
        latenciesMs.push((arrivedAtMs.at(-1) ?? 0) - verdictAtMs);
      }
      // The median: who was not woken would wait for the safety poll, a second after the one before.
      expect(latenciesMs.sort((a, b) => a - b)[4]).toBeLessThan(500);
    });

    test('while a handler runs the next batch gathers', async () => {
      const gate = Promise.withResolvers<void>();
      let running = 0;
      const consumer = collector({
        filter: { streams: [named(stage, 'account-1')] },
        handle: async ({ events }) => {
          running += 1;
          expect(running).toBe(1);
          if (events.some(({ event }) => event.text === 'gate')) await gate.promise;
          running -= 1;
        },
      });
      const subscription = feed.subscribe(consumer);
      await appendTexts('account-1', ['gate']);
      await expect.poll(() => running).toBe(1);
      let last = 0;
      for (let i = 0; i < 10; i++) last = await appendTexts('account-1', [`b${i}`], i);
      gate.resolve();
      await subscription.reached(last, WAIT_MS);
      const sizes = consumer.batches.map(({ events }) => events.length).filter((size) => size > 0);
      expect(sizes[0]).toBe(1);
      expect(sizes.length).toBeLessThan(5);
      expect(consumer.events).toHaveLength(11);
    });

    test('a rejected batch is given again, and nothing after it before', async () => {
      const last = await appendTexts('account-1', ['a', 'b', 'c', 'd']);
      let refusals = 2;
      const given: string[][] = [];
      const consumer = collector({
        batchEventsMax: 2,
        filter: { streams: [named(stage, 'account-1')] },
        handle: async ({ events }) => {
          if (events.length === 0) return;
          given.push(events.map(({ event }) => event.text));
          if (refusals-- > 0) throw new Error('not now');
        },
      });
      await feed.subscribe(consumer).reached(last, WAIT_MS);
      expect(given).toEqual([
        ['a', 'b'],
        ['a', 'b'],
        ['a', 'b'],
        ['c', 'd'],
      ]);
    });

    test('stopping lets the running handler finish and calls no other', async () => {
      const last = await appendTexts('account-1', ['a', 'b', 'c']);
      const first = (await ownEvents(stage))[0]?.position;
      const gate = Promise.withResolvers<void>();
      let begun = 0;
      let finished = 0;
      const subscription = feed.subscribe(
        collector({
          batchEventsMax: 1,
          filter: { streams: [named(stage, 'account-1')] },
          handle: async ({ events }) => {
            if (events.length === 0) return;
            begun += 1;
            await gate.promise;
            finished += 1;
          },
        }),
      );
      const never = subscription.reached(last, WAIT_MS);
      heardElsewhere(never);
      await expect.poll(() => begun).toBe(1);
      const stopped = subscription.stop();
      gate.resolve();
      await stopped;
      await expect(never).rejects.toThrow('stopped');
      expect(finished).toBe(1);
      expect(subscription.position()).toBe(first);
      await delay(20);
      expect(finished).toBe(1);
      await expect(subscription.reached(last, 10)).rejects.toThrow('stopped');
    });

    test('waiting for a position that does not come ends after its time', async () => {
      const subscription = feed.subscribe(collector({}));
      const never = (await store.head()) + 1_000_000_000;
      await expect(subscription.reached(never, 20)).rejects.toThrow('within 20 ms');
    });

    test('consumers of every pace, coming and going under load, get every event once and in order', async () => {
      const EVENTS = 3_000;
      const consumers = [
        collector({ batchEventsMax: 7 }),
        collector({ filter: { categories: ['book'] }, batchEventsMax: 50 }),
        collector({ filter: { categories: ['account'], types: ['more'] }, batchEventsMax: 3 }),
        collector({ handle: () => delay(8) }),
        collector({
          filter: { symbols: 'any' },
          handle: () => (Math.random() < 0.2 ? delay(30) : Promise.resolve()),
        }),
      ];
      const first = consumers.map((consumer) => feed.subscribe(consumer));
      const early = Promise.withResolvers<number>();
      const writing = (async () => {
        let last = 0;
        for (let i = 0; i < EVENTS / 30; i++) {
          const text = (kind: string) => Array.from({ length: 10 }, (_, n) => `${kind} ${i}.${n}`);
          last = await append(
            commit('account-1', i * 20 - 1, [...text('account'), ...text('more')]),
            commit('book-ACME', i * 10 - 1, text('book'), { symbol: i % 3 === 0 ? 'ACME' : null }),
          );
          if (i === 6) early.resolve(last);
          if (i % 10 === 0) await delay(3);
        }
        return last;
      })();
      // One leaves on its way and comes back where it stood.
      await first[0]?.reached(await early.promise, WAIT_MS);
      await first[0]?.stop();
      const returned = consumers[0] && {
        ...consumers[0],
        after: { storeId: store.id, position: first[0]?.position() ?? 0 },
      };
      const late = collector({ batchEventsMax: 100 });
      await delay(10);
      const subscriptions = [
        ...first.slice(1),
        ...[late, returned].flatMap((c) => (c ? [feed.subscribe(c)] : [])),
      ];
      const last = await writing;
      await Promise.all(subscriptions.map((subscription) => subscription.reached(last, WAIT_MS)));
      const everything = await ownEvents(stage);
      expect(everything).toHaveLength(EVENTS);
      for (const consumer of [...consumers, late]) {
        expect(consumer.events.map(place)).toEqual(
          everything.filter(matcher(consumer.filter, store.codec)).map(place),
        );
      }
    });
  });
}

const place = ({ position, event }: Recorded<Noted>) => `${position} ${event.text}`;

/** A consumer that keeps what it was given. */
export function collecting(
  given: Partial<Consumer<Noted>>,
  isKept: (event: Recorded<Noted>) => boolean = () => true,
): Consumer<Noted> & { events: Recorded<Noted>[]; batches: Batch<Noted>[] } {
  const events: Recorded<Noted>[] = [];
  const batches: Batch<Noted>[] = [];
  return {
    name: 'collector',
    after: null,
    filter: {},
    batchEventsMax: 500,
    ...given,
    events,
    batches,
    handle: async (batch) => {
      await given.handle?.(batch);
      expect(batch.position).toBeGreaterThan(batches.at(-1)?.position ?? given.after?.position ?? 0);
      events.push(...batch.events.filter(isKept));
      batches.push(batch);
    },
  };
}

export const textsOf = ({ events }: { events: Recorded<Noted>[] }) => events.map(({ event }) => event.text);
