import { parsePosition } from '@brokerx/contracts';
import { callerOf } from './servers.ts';

/**
 * Read-your-writes: for each person the newest position that one of their commands was answered with, whichever way it
 * went. Whoever asks for that position sees what they did.
 */
export type Positions = {
  /** Of the person who has this token; undefined: nothing is known of them. */
  of(token: string | undefined): string | undefined;
  /** A command of this person was answered with it. */
  note(token: string | undefined, position: string | undefined): void;
  /** It is of no use: another store stands behind the API now. */
  forget(token: string | undefined, position: string): void;
};

/** People remembered, some 150 bytes each; beyond it whoever has been quiet longest is forgotten. */
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
      const known = newest.get(person);
      // To the end of the order of forgetting.
      newest.delete(person);
      newest.set(person, known !== undefined && isBeyond(known, position) ? known : position);
      if (newest.size > peopleMax) for (const quietest of newest.keys().take(1)) newest.delete(quietest);
    },
    forget(token, position) {
      const person = callerOf(token);
      if (person !== undefined && newest.get(person) === position) newest.delete(person);
    },
  };
}

/** In another store positions are others: there the last one counts. */
function isBeyond(known: string, position: string): boolean {
  const [before, now] = [parsePosition(known), parsePosition(position)];
  return before !== undefined && before.storeId === now?.storeId && before.position > now.position;
}
