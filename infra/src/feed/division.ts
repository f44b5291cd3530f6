import assert from 'node:assert/strict';
import type { Cursor } from '../eventStore/cursor.ts';
import type { Filter, Recorded } from '../eventStore/eventStore.ts';

/**
 * A topic as its readers see it: which events of the store it carries, and how they are divided into partitions. Events of one
 * key are in one partition, in order; between partitions there is no order.
 */
export type FeedTopic = Division & {
  /** The name of the topic's first generation at the brokers. */
  name: string;
  /** The oldest generation that may be read; a newer one is read if there is one. */
  generation: number;
  /** The topic carries exactly the events of the store that match this. */
  filter: Filter;
};

/** How events are divided among partitions. */
export type Division = {
  /** The number of partitions. */
  partitions: number;
  partitionOf(event: Pick<Recorded<unknown>, 'stream' | 'symbol'>): number;
  /** The partitions that may hold events matching the filter. */
  partitionsOf(filter: Filter): readonly number[];
};

/** The store's own order: one partition that holds everything. */
export const undivided: Division = { partitions: 1, partitionOf: () => 0, partitionsOf: () => [0] };

/** Store positions of a consumer, one for each partition of a division. */
export type Places = readonly number[];

/** Events for a consumer, in order within each partition, and the places that it reaches by them. */
export type Gathered<E> = {
  events: Recorded<E>[];
  places: Places;
  /** True when no later event was known. */
  live: boolean;
};

/** A cursor's places. Throws if it was made with another number of partitions: nobody knows what its consumer has received. */
export function placesOf(cursor: Cursor | null, { partitions }: Division): Places {
  const places = cursor?.partitions;
  if (!places) return Array.from({ length: partitions }, () => cursor?.position ?? 0);
  assert(
    places.length === partitions,
    `the cursor has ${places.length} partitions, this feed has ${partitions}: begin at its position, with a state that takes events twice, or anew`,
  );
  return places;
}

/** The places, each moved to the position if it is below it. */
export const advanced = (places: Places, position: number): Places =>
  places.map((place) => Math.max(place, position));

/** For each partition the further one of two places. */
export const furthest = (one: Places, other: Places): Places =>
  one.map((place, partition) => Math.max(place, other[partition] ?? 0));

/** The lowest place of these partitions: what all of them have reached. */
export function lowest(places: Places, partitions: readonly number[]): number {
  let low = Number.POSITIVE_INFINITY;
  for (const partition of partitions) low = Math.min(low, places[partition] ?? 0);
  return low;
}

/** Whether every event that matches the filter surely matches the wider one, judged by their conditions alone. */
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
