import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { commit, notedCodec } from '../../test/noted.ts';
import { memoryEventStore } from '../eventStore/eventStore.memory.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { storeFeed } from './feed.store.ts';
import { movableSubscription } from './movableSubscription.ts';

const WAIT = { timeout: 100_000 };

/** Each thing takes events in order, passes over what it has, and would notice a gap. */
type Thing = { name: string; taken: string[]; position: number };

test('things join and leave while events come in; each is given everything after its own beginning, once', async () => {
  const store = memoryEventStore({ id: randomUUID(), codec: notedCodec });
  const feed = storeFeed({ store, runtime: realRuntime });
  const names = ['a', 'b', 'c', 'd'];
  const things = new Map<string, Thing>();
  const appended = new Map<string, string[]>();
  const append = async (name: string) => {
    const texts = appended.get(name) ?? [];
    appended.set(name, texts);
    texts.push(`${name} ${texts.length}`);
    await store.append([commit(`book-${name}`, texts.length - 2, [texts.at(-1) ?? ''])]);
  };
  const subscription = movableSubscription(feed, store.id, {
    name: 'things',
    batchEventsMax: 3,
    begin() {
      if (things.size === 0) return null;
      const given = new Map(things);
      return {
        filter: { streams: [...given.keys()].map((name) => `book-${name}`) },
        async handle({ events }) {
          await setTimeout(1);
          for (const { event, stream, position } of events) {
            const thing = given.get(stream.slice('book-'.length));
            if (!thing || position <= thing.position) continue;
            thing.taken.push(event.text);
            thing.position = position;
          }
        },
      };
    },
  });
  /** Begins with what is there now, as a process that reads it by itself, while more comes in. */
  const join = async (name: string): Promise<void> => {
    const position = await store.head();
    const thing = { name, taken: [...(appended.get(name) ?? [])], position };
    await append(name);
    await setTimeout(5);
    await append(name);
    await setTimeout(0);
    things.set(name, thing);
    void subscription.move(position);
  };
  const leave = (name: string) => {
    things.delete(name);
    void subscription.move();
  };

  expect(subscription.position()).toBeNull();
  for (let round = 0; round < 60; round++) {
    const name = names[round % names.length] ?? '';
    for (const each of names) await append(each);
    if (things.has(name) && round % 3 === 0) leave(name);
    // Or one takes another one's place, while the former beginning still gives to whoever has its name.
    else await join(name);
    if (round % 5 === 0) await setTimeout(2);
  }
  for (const name of names) if (!things.has(name)) await join(name);
  for (const each of names) await append(each);
  await vi.waitFor(() => {
    for (const [name, { taken }] of things) expect(taken).toEqual(appended.get(name));
  }, WAIT);

  for (const name of names) leave(name);
  await vi.waitFor(() => expect(subscription.position()).toBeNull(), WAIT);
  await subscription.stop();
  await feed.close();
});
