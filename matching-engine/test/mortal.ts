import type { Event } from '@brokerx/contracts';
import { type EventStore, UnknownOutcome } from '@brokerx/infra';
import type { Random } from '../sim/random.ts';

/** What a process meets that is no more. */
export class Dead extends Error {
  override name = 'Dead';
}

/** One append in so many kills the process, before it reached the store or after: nobody learns which. */
const APPENDS_PER_DEATH = 15;
/** One in so many loses its reply only. */
const APPENDS_PER_LOST_REPLY = 60;

/** A store as seen by a process that may die at any append. What it appended before stays. */
export function mortal(store: EventStore<Event>, random: Random) {
  const { promise: died, resolve } = Promise.withResolvers<void>();
  let dead = false;
  const kill = () => {
    dead = true;
    resolve();
  };
  const append: EventStore<Event>['append'] = async (commits) => {
    if (!dead && random(APPENDS_PER_DEATH) === 0) {
      if (random(2) === 0) await store.append(commits);
      kill();
    }
    if (dead) throw new Dead('this process is dead');
    const verdicts = await store.append(commits);
    if (random(APPENDS_PER_LOST_REPLY) === 0) throw new UnknownOutcome('the reply was lost');
    return verdicts;
  };
  return { store: { ...store, append }, died, kill };
}
