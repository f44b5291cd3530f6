import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { commit, notedCodec } from '../../test/noted.ts';
import { memoryEventStore } from './eventStore.memory.ts';
import { isOfThisPast, landmarks } from './past.ts';

/** What is kept follows accounts alone. */
const ACCOUNTS = { categories: ['account'] };
const id = randomUUID();

/** A store of these commits, a letter each: a, b are accounts' and x, y are not. */
async function storeOf(letters: string, commitIds: string[] = []) {
  const store = memoryEventStore({ id, codec: notedCodec });
  const revisions = new Map<string, number>();
  for (const [i, letter] of [...letters].entries()) {
    const stream = letter < 'm' ? `account-${letter}` : `book-${letter}`;
    const before = revisions.get(stream) ?? -1;
    revisions.set(stream, before + 1);
    const made = commit(stream, before, [letter]);
    await store.append([{ ...made, id: commitIds[i] ?? made.id }]);
  }
  return store;
}

test.for([
  ['the same store', 'abxa', 'abxa', 4, true],
  ['one that has gone on', 'abxa', 'abxaab', 4, true],
  ['it ends before', 'abxa', 'abx', 4, false],
  ['another event is in its place', 'abxa', 'abx|a', 4, false],
  ['nothing of it is in its place', 'abxa', 'abx|x', 4, false],
  ['only others are behind it, and were', 'abxx', 'abxx', 4, true],
  ['only others are behind it, and are others', 'abxx', 'abx|y', 4, true],
  ['one came where only others were', 'abxx', 'abx|a', 4, false],
  ['nothing was in it, and nothing is', 'xx', 'xx', 2, true],
  ['nothing was in it, and something is', 'xx', 'x|a', 2, false],
  ['it rests on nothing', '', 'a', 0, true],
] as const)(
  'whether a store has the past of what rests on it: %s',
  async ([, before, now, position, expected]) => {
    const old = await storeOf(before);
    const { events } = await old.readAll(0, {}, 100);
    const followed = landmarks(null);
    followed.add(events.filter(({ stream }) => stream.startsWith('account-')));
    const landmark = followed.at(position);
    // Up to the bar the restored store is the same; what is behind it was appended since.
    const kept = now.indexOf('|') === -1 ? now.length : now.indexOf('|');
    const restored = await storeOf(
      now.replace('|', ''),
      events.slice(0, kept).map(({ commitId }) => commitId),
    );
    expect(await isOfThisPast(restored, { position, landmark }, ACCOUNTS)).toBe(expected);
  },
);

test('events that are ahead of the position as a whole are landmarks when it has reached them', () => {
  const followed = landmarks({ position: 3, commitId: 'c' });
  expect(followed.at(5)?.position).toBe(3);
  followed.add([
    { position: 9, commitId: 'i' },
    { position: 6, commitId: 'f' },
    { position: 2, commitId: 'known' },
  ]);
  expect(
    [followed.at(5), followed.at(7), followed.at(8), followed.at(9)].map((event) => event?.commitId),
  ).toEqual(['c', 'f', 'f', 'i']);
});
