import assert from 'node:assert/strict';
import type { Cursor } from '../eventStore/cursor.ts';
import type { Filter, Recorded } from '../eventStore/eventStore.ts';

/**
 * A topic, as its readers see it: what of the store it carries, and how that is divided into partitions. Events of one
 * key are in one partition, in order; between partitions there is no order.
 */
export type FeedTopic = Division & {
  /** As the brokers know its first generation. */
  name: string;
  /** The least that is read; a newer one is, where there is one. */
  generation: number;
  /** Everything that the topic carries matches this, and everything in the store that matches it is carried. */
  filter: Filter;
};

/** How events are divided among partitions. */
export type Division = {
  /** Their number. */
  partitions: number;
  partitionOf(event: Pick<Recorded<unknown>, 'stream' | 'symbol'>): number;
  /** The partitions that can hold what matches the filter. */
  partitionsOf(filter: Filter): readonly number[];
};

/** The store's own order: one partition that holds everything. */
export const undivided: Division = { partitions: 1, partitionOf: () => 0, partitionsOf: () => [0] };

/** Store positions of a consumer, one for each partition of a division. */
export type Places = readonly number[];

/** Some events that a consumer wants, those of a partition in order, and where they bring it. */
export type Gathered<E> = {
  events: Recorded<E>[];
  places: Places;
  /** Nothing is left that was known. */
  live: boolean;
};

/** Where a cursor stands. Throws where it is of another division: nobody knows what it has been given. */
export function placesOf(cursor: Cursor | null, { partitions }: Division): Places {
  const places = cursor?.partitions;
  if (!places) return Array.from({ length: partitions }, () => cursor?.position ?? 0);
  assert(
    places.length === partitions,
    `the cursor has ${places.length} partitions, this feed has ${partitions}: begin at its position, with a state that takes events twice, or anew`,
  );
  return places;
}

/** All places at least at the position. */
export const advanced = (places: Places, position: number): Places =>
  places.map((place) => Math.max(place, position));

export const furthest = (one: Places, other: Places): Places =>
  one.map((place, partition) => Math.max(place, other[partition] ?? 0));

/** The lowest place of these partitions: what all of them have reached. */
export function lowest(places: Places, partitions: readonly number[]): number {
  let low = Number.POSITIVE_INFINITY;
  for (const partition of partitions) low = Math.min(low, places[partition] ?? 0);
  return low;
}

/** Whether everything that matches the one filter matches the other, as far as their conditions show it. */
export function liesWithin(filter: Filter, wider: Filter): boolean {
  const lists = (['categories', 'streams', 'types'] as const).every((name) =>
    isSubset(filter[name], wider[name]),
  );
  if (!lists || !wider.symbols) return lists;
  if (wider.symbols === 'any') return filter.symbols !== undefined;
  return filter.symbols !== 'any' && isSubset(filter.symbols, wider.symbols);
}

const isSubset = (list: readonly string[] | undefined, wider: readonly string[] | undefined) =>
  !wider || (list?.every((item) => wider.includes(item)) ?? false);
