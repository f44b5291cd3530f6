import { OPEN_STATUSES, ORDER_STATUSES } from '@brokerx/contracts';

/** `open` and `closed` stand for groups; an unknown word gives undefined. */
export function statusesOf(words: readonly string[]): string[] | undefined {
  const statuses = words.flatMap(
    (word) => GROUPS[word] ?? ORDER_STATUSES.filter((status) => status === word),
  );
  const known = words.every((word) => word in GROUPS || ORDER_STATUSES.some((status) => status === word));
  return known ? [...new Set(statuses)].sort() : undefined;
}
const isOpen = (status: string) => OPEN_STATUSES.some((open) => open === status);
const GROUPS: Readonly<Record<string, readonly string[]>> = Object.assign(Object.create(null), {
  open: OPEN_STATUSES,
  closed: ORDER_STATUSES.filter((status) => !isOpen(status)),
});
