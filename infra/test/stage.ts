import { expect } from 'vitest';
import type { Commit, EventStore, Recorded, Verdict } from '../src/eventStore/eventStore.ts';
import type { Noted } from './noted.ts';

/** Milliseconds for what happens at once on a quiet machine: as long as all polls wait. */
export const WAIT_MS = 100_000;

/**
 * Where a contract's test plays. A store may be its own, empty at the beginning; or one that others use at the same
 * time and that cannot be emptied: there a test has streams of its own, and looks at nothing else.
 */
export type Stage = {
  store: EventStore<Noted>;
  /** In the name of each of this test's streams; null: nobody else writes to this store. */
  tag: string | null;
  /** Position before the first event of this test. */
  from: number;
  close(): Promise<void>;
};

export const aloneOn = async (store: EventStore<Noted>): Promise<Stage> => ({
  store,
  tag: null,
  from: await store.head(),
  close: () => store.close(),
});

export const sharing = async (store: EventStore<Noted>, tag: string): Promise<Stage> => ({
  ...(await aloneOn(store)),
  tag,
});

/** The name of this test's own stream: of the same category. */
export const named = ({ tag }: Stage, stream: string): string =>
  tag === null ? stream : stream.replace('-', `-${tag}.`);

export const isOwn = ({ tag }: Stage, { stream }: { stream: string }): boolean =>
  tag === null || stream.includes(`-${tag}.`);

/** Everything that this test appended, in the order of the store. */
export async function ownEvents(stage: Stage): Promise<Recorded<Noted>[]> {
  const { store, from } = stage;
  const events: Recorded<Noted>[] = [];
  for (let after = from, atEnd = false; !atEnd; ) {
    const page = await store.readAll(after, {}, 1_000);
    events.push(...page.events.filter((event) => isOwn(stage, event)));
    ({ position: after, atEnd } = page);
  }
  return events;
}

/** The texts of this test's streams, by the streams' names as the test calls them. */
export async function histories(stage: Stage, streams: readonly string[]): Promise<Record<string, string[]>> {
  const events = await ownEvents(stage);
  const found = streams.map((stream) => {
    const own = events.filter((event) => event.stream === named(stage, stream));
    expect(own.map(({ revision }) => revision)).toEqual(own.keys().toArray());
    return [stream, own.map(({ event }) => event.text)] as const;
  });
  expect(events, 'nothing stands in other streams').toHaveLength(
    found.reduce((sum, [, texts]) => sum + texts.length, 0),
  );
  return Object.fromEntries(found);
}

/** Appends, and sees that what the verdicts say is what a reader finds. */
export async function appendSeen(stage: Stage, commits: readonly Commit<Noted>[]): Promise<Verdict[]> {
  const verdicts = await stage.store.append(commits);
  expect(verdicts).toHaveLength(commits.length);
  const places = new Map(
    (await ownEvents(stage)).map((event) => [`${event.stream} ${event.revision}`, event]),
  );
  let before = stage.from;
  for (const { position } of places.values()) {
    expect(position).toBeGreaterThan(before);
    before = position;
  }
  verdicts.forEach((verdict, i) => {
    const commit = commits[i];
    if (!commit || !('position' in verdict)) return;
    const { revision, position } = verdict;
    expect(revision).toBe(commit.expectedRevision + commit.events.length);
    expect(places.get(`${commit.stream} ${revision}`)).toMatchObject({ position, commitId: commit.id });
  });
  return verdicts;
}
