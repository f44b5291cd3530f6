import type { Filter } from '../eventStore/eventStore.ts';

/**
 * Filters that together let through what any of the given ones does: exactly that, so that nobody reads or parses
 * what nobody wants. Those that differ in one condition alone become one filter.
 */
export function unionOf(filters: readonly Filter[]): readonly Filter[] {
  if (filters.length === 1) return filters;
  let union = filters;
  for (const condition of CONDITIONS) union = merged(union, condition);
  return union.length > FILTERS_MAX ? [{}] : union;
}

const CONDITIONS = ['categories', 'streams', 'symbols', 'types'] as const;
/** Beyond as many the question costs more than the answer, and everything is read: no process has such consumers. */
const FILTERS_MAX = 8;

/** Puts together those that are alike in all but this condition. */
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

/** The one condition, as wide as both; none where one of them has none. */
function either(a: Filter, b: Filter, condition: (typeof CONDITIONS)[number]): Filter {
  const [one, two] = [a[condition], b[condition]];
  if (!one || !two) return {};
  if (one === 'any' || two === 'any') return { [condition]: 'any' };
  return { [condition]: [...new Set([...one, ...two])].sort() };
}
