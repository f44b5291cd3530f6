import { clientStream, keyOfStream } from '../base/streams.ts';
import type { Event, Fact } from './events.ts';

/**
 * Where the ends of sessions are told. A token names its session and the revision of the `SignedIn` that began it: an end
 * of all sessions ends those that began before it in the client's stream, whatever the clocks of processes say.
 */
export const SESSION_ENDS = {
  category: 'client',
  types: ['SignedOut.v1', 'SessionsEnded.v1'] as const satisfies readonly Event['type'][],
  streamOf: clientStream,
  clientOf: keyOfStream,
  endOf: sessionEndOf,
};

/** `sessionId` null: all that began before. `untilMs`: when no token of theirs is valid any more anyway. */
export type SessionEnd = { sessionId: string | null; untilMs: number };

/** What the fact ends; null where it ends nothing. */
export function sessionEndOf(fact: Fact): SessionEnd | null {
  if (fact.type === 'SignedOut.v1') {
    return { sessionId: fact.data.sessionId, untilMs: Date.parse(fact.data.expiresAt) };
  }
  return fact.type === 'SessionsEnded.v1' ? { sessionId: null, untilMs: Date.parse(fact.data.until) } : null;
}
