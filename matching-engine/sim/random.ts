/** Returns a random whole number from 0 to below the bound. */
export type Random = (below: number) => number;

/** Mulberry32, a small generator of random numbers. */
export function mulberry32(seed: number): Random {
  let s = seed >>> 0;
  return (below) => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), s | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** A readable UUID: `00000001-0000-4000-8000-00000000002a` for number 42 of group 1. */
export const numbered = (group: number, n: number): string =>
  `${group.toString(16).padStart(8, '0')}-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
