import type { BookFact, ExpiryReason } from '@brokerx/contracts';
import type { InputRules } from './modelInput.ts';
import type { modelLists } from './modelLists.ts';

/** The model's time, and the orders that expire by it. */
export function modelEnds({
  openTest,
  expire,
  lists,
  rules,
  isFull,
}: {
  /** Returns a function that tells whether an order is open at this moment. */
  openTest: () => (id: string) => boolean;
  expire: (id: string, reason: ExpiryReason) => BookFact[];
  lists: ReturnType<typeof modelLists>;
  rules: InputRules;
  isFull: (outputCount: number) => boolean;
}) {
  let timeNow = '';
  let expiries: [id: string, end: string][] = [];
  const openExpiries = () => {
    const isOpen = openTest();
    return expiries.filter(([id]) => isOpen(id));
  };
  const advanceTime = (at: string) => {
    if (at > timeNow) timeNow = at;
  };

  /** Expires due orders as long as there is room. The legs of an entry that bought nothing expire with it. */
  function expireDue(hasRoom: (outputCount: number) => boolean): BookFact[] {
    const due = openExpiries().filter(([, end]) => end <= timeNow);
    const dueIds = due.sort(([, a], [, b]) => (a === b ? 0 : a < b ? -1 : 1)).map(([id]) => id);
    const ends: BookFact[] = [];
    for (const id of dueIds) {
      if (!hasRoom(ends.length)) break;
      const isUnfilled = (entry: { filled: number } | null) => rules.isBounded && entry?.filled === 0;
      const list = lists.all().find(({ legs, entry }) => isUnfilled(entry) && legs.includes(id));
      if (list?.entry && dueIds.includes(list.entry.orderId)) continue;
      ends.push(...expire(id, 'EXPIRES_AT_REACHED'));
      const bracket = lists.all().find(({ entry }) => isUnfilled(entry) && entry?.orderId === id);
      for (const leg of bracket?.legs ?? []) ends.push(...lists.expireDormant(leg, 'ENTRY_NOT_FILLED'));
    }
    expiries = openExpiries();
    return ends;
  }

  return {
    openExpiries,
    expireDue,
    advanceTime,
    time: () => timeNow,
    reach(at: string): BookFact[] {
      advanceTime(at);
      const ends = expireDue((outputCount) => !isFull(outputCount));
      const next = expiries.map(([, end]) => end).sort()[0] ?? null;
      return [...ends, { type: 'TimeApplied.v1', data: { at: timeNow, nextExpiresAt: next } }];
    },
    /** Moves an order that lost its priority behind the others that end at the same time. */
    moveEndBack(id: string) {
      const end = rules.isBounded ? expiries.find(([one]) => one === id) : undefined;
      if (end) expiries = [...expiries.filter((one) => one !== end), end];
    },
    removeEnd(id: string) {
      expiries = expiries.filter(([one]) => one !== id);
    },
    addEnd(id: string, expiresAt: string) {
      expiries.push([id, expiresAt]);
    },
  };
}
