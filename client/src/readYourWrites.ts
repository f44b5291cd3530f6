import { parsePosition } from '@brokerx/contracts';
import { callerOf } from './servers.ts';

/**
 * Read-your-writes: remembers for each person the newest position in a reply to one of their commands, over HTTP or the
 * WebSocket. A query for that position shows the person everything they did.
 */
export type Positions = {
  /** The newest position of the person with this token; undefined when none is remembered. */
  of(token: string | undefined): string | undefined;
  /** Remembers the position in a reply to a command of this person. */
  note(token: string | undefined, position: string | undefined): void;
  /** Forgets a position that the server refused: another store is behind the API now. */
  forget(token: string | undefined, position: string): void;
};

/** The most people remembered, about 150 bytes each. Beyond it the one without commands for longest is forgotten. */
const PEOPLE_MAX = 10_000;

export function positions(peopleMax = PEOPLE_MAX): Positions {
  const newest = new Map<string, string>();
  return {
    of(token) {
      const person = callerOf(token);
      return person === undefined ? undefined : newest.get(person);
    },
    note(token, position) {
      const person = callerOf(token);
      if (person === undefined || position === undefined) return;
      const before = newest.get(person);
      // Deleting first moves the person to the end of the Map, which is forgotten from its beginning.
      newest.delete(person);
      newest.set(person, before !== undefined && isBeyond(before, position) ? before : position);
      if (newest.size > peopleMax) for (const quietest of newest.keys().take(1)) newest.delete(quietest);
    },
    forget(token, position) {
      const person = callerOf(token);
      if (person !== undefined && newest.get(person) === position) newest.delete(person);
    },
  };
}

/** Whether `a` is a later position than `b`. Positions of different stores do not compare: the answer is no. */
function isBeyond(a: string, b: string): boolean {
  const [first, second] = [parsePosition(a), parsePosition(b)];
  return first !== undefined && first.storeId === second?.storeId && first.position > second.position;
}
