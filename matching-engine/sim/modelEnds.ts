import type { BookFact, ExpiryReason } from '@brokerx/contracts';
import type { InputRules } from './modelInput.ts';
import type { modelLists } from './modelLists.ts';

/** The market's time once more, and the orders that end with it. */
export function modelEnds({
  openNow,
  expire,
  lists,
  rules,
  isFull,
}: {
  /** Tells of any order whether it is open now. */
  openNow: () => (id: string) => boolean;
  expire: (id: string, reason: ExpiryReason) => BookFact[];
  lists: ReturnType<typeof modelLists>;
  rules: InputRules;
  isFull: (told: number) => boolean;
}) {
  let now = '';
  let expiries: [id: string, end: string][] = [];
  const stillOpen = () => {
    const isOpen = openNow();
    return expiries.filter(([id]) => isOpen(id));
  };
  const later = (at: string) => {
    if (at > now) now = at;
  };

  /** What is over by now ends, as far as there is room; children go with an entry that bought nothing. */
  function endDue(hasRoom: (told: number) => boolean): BookFact[] {
    const due = stillOpen().filter(([, end]) => end <= now);
    const inOrder = due.sort(([, a], [, b]) => (a === b ? 0 : a < b ? -1 : 1)).map(([id]) => id);
    const ends: BookFact[] = [];
    for (const id of inOrder) {
      if (!hasRoom(ends.length)) break;
      const unfilled = (entry: { filled: number } | null) => rules.bounds && entry?.filled === 0;
      const list = lists.all().find(({ legs, entry }) => unfilled(entry) && legs.includes(id));
      if (list?.entry && inOrder.includes(list.entry.orderId)) continue;
      ends.push(...expire(id, 'EXPIRES_AT_REACHED'));
      const own = lists.all().find(({ entry }) => unfilled(entry) && entry?.orderId === id);
      for (const leg of own?.legs ?? []) ends.push(...lists.expireAsleep(leg, 'ENTRY_NOT_FILLED'));
    }
    expiries = stillOpen();
    return ends;
  }

  return {
    stillOpen,
    endDue,
    later,
    time: () => now,
    reach(at: string): BookFact[] {
      later(at);
      const ends = endDue((told) => !isFull(told));
      const next = expiries.map(([, end]) => end).sort()[0] ?? null;
      return [...ends, { type: 'TimeApplied.v1', data: { at: now, nextExpiresAt: next } }];
    },
    /** An order that has a new place has it among those that end at one time, too. */
    endLater(id: string) {
      const end = rules.bounds ? expiries.find(([one]) => one === id) : undefined;
      if (end) expiries = [...expiries.filter((one) => one !== end), end];
    },
    forgetEnd(id: string) {
      expiries = expiries.filter(([one]) => one !== id);
    },
    end(id: string, expiresAt: string) {
      expiries.push([id, expiresAt]);
    },
  };
}
