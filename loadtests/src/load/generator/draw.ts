/**
 * A number from 0 to below 1 that follows from these three alone, so that any process can work out what the n-th request of
 * a run is without drawing those before it. `slot` tells several draws of one request apart.
 */
export function draw(seed: number, n: number, slot: number): number {
  let mixed =
    Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(n + 1, 0xc2b2ae35) ^ Math.imul(slot + 1, 0x27d4eb2f);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
}

/** An item by its weight: `at` from 0 to below 1 goes once through all of them. */
export function weighted<T>(items: readonly (readonly [T, number])[]): (at: number) => T {
  const total = items.reduce((sum, [, weight]) => sum + weight, 0);
  return (at) => {
    let rest = at * total;
    for (const [item, weight] of items) {
      rest -= weight;
      if (rest < 0) return item;
    }
    return (items.at(-1) as readonly [T, number])[0];
  };
}
