import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ExpiryReason, ORDER_STATUSES, STATUS_NEXT } from './order.ts';
import { REFUSALS } from './refusals.ts';

const page = readFileSync(new URL('../../../docs/orders.md', import.meta.url), 'utf8');
/** Rows of the page's tables whose first cell is one word in code. */
const rows = new Map(
  page
    .split('\n')
    .map((line) => /^\| `(\w+)` \|(.*)\|$/.exec(line))
    .flatMap((match) => (match ? [[match[1] ?? '', match[2] ?? '']] : [])),
);

test.for(ORDER_STATUSES)('the status %s is documented with what may follow it', (status) => {
  const cells = rows.get(status)?.split('|') ?? [];
  const next = [...(cells.at(-1) ?? '').matchAll(/`(\w+)`/g)].map(([, word]) => word);
  expect(next.toSorted()).toEqual([...STATUS_NEXT[status]].toSorted());
});

test('what has ended stays as it is, and every open status may end in each way', () => {
  for (const status of ['filled', 'canceled', 'expired', 'rejected'] as const)
    expect(STATUS_NEXT[status]).toEqual([]);
  for (const status of ORDER_STATUSES.filter((one) => STATUS_NEXT[one].length > 0)) {
    expect(STATUS_NEXT[status]).toEqual(expect.arrayContaining(['filled', 'canceled', 'expired']));
  }
});

test('every reason for which an order is refused or expires is documented', () => {
  const codes = Object.keys(REFUSALS);
  const ofOrders = codes.slice(codes.indexOf('DUPLICATE_CLIENT_ORDER_ID'));
  const ofKeys = codes.filter((code) => /^IDEMPOTENCY_KEY_(REUSED|VERSION)$|^STALE_|_IN_FLIGHT$/.test(code));
  const missing = [...ofKeys, ...ofOrders, ...ExpiryReason.options].filter((code) => !rows.has(code));
  expect(missing).toEqual([]);
});
