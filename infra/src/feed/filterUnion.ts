import type { Filter } from '../eventStore/eventStore.ts';

/**
 * Filters that together match exactly what any of these filters matches, so that no unwanted event is read or parsed.
 * Filters that differ in one condition alone are merged into one.
 */
export function unionOf(filters: readonly Filter[]): readonly Filter[] {
  if (filters.length === 1) return filters;
  let union = filters;
  for (const condition of CONDITIONS) union = merged(union, condition);
  return union.length > FILTERS_MAX ? [{}] : union;
}

const CONDITIONS = ['categories', 'streams', 'symbols', 'types'] as const;
/** With more filters the query would cost more than reading everything, which is then done. No process has that many. */
const FILTERS_MAX = 8;

/** Merges the filters that are equal except for this condition. */
function merged(filters: readonly Filter[], condition: (typeof CONDITIONS)[number]): readonly Filter[] {
  const alike = new Map<string, Filter>();
  for (const filter of filters) {
    const rest = { ...filter, [condition]: undefined };
    const key = JSON.stringify(CONDITIONS.map((name) => inOrder(rest[name])));
    const other = alike.get(key);
    alike.set(key, other ? { ...rest, ...either(other, filter, condition) } : filter);
  }
  return [...alike.values()];
}

const inOrder = (condition: readonly string[] | 'any' | undefined) =>
  typeof condition === 'object' ? condition.toSorted() : (condition ?? null);

/** A condition as wide as both filters'; none if one of them has none. */
function either(a: Filter, b: Filter, condition: (typeof CONDITIONS)[number]): Filter {
  const [one, two] = [a[condition], b[condition]];
  if (!one || !two) return {};
  if (one === 'any' || two === 'any') return { [condition]: 'any' };
  return { [condition]: [...new Set([...one, ...two])].sort() };
}
