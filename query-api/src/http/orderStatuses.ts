import { OPEN_STATUSES, ORDER_STATUSES } from '@brokerx/contracts';

/** The order statuses that the words of a filter name; `open` and `closed` name groups. Undefined where a word is unknown. */
export function statusesOf(words: readonly string[]): string[] | undefined {
  const statuses = words.flatMap(
    (word) => GROUPS[word] ?? ORDER_STATUSES.filter((status) => status === word),
  );
  const areKnown = words.every((word) => word in GROUPS || ORDER_STATUSES.some((status) => status === word));
  return areKnown ? [...new Set(statuses)].sort() : undefined;
}
const isOpen = (status: string) => OPEN_STATUSES.some((open) => open === status);
const GROUPS: Readonly<Record<string, readonly string[]>> = Object.assign(Object.create(null), {
  open: OPEN_STATUSES,
  closed: ORDER_STATUSES.filter((status) => !isOpen(status)),
});
