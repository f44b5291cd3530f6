import { clientStream, keyOfStream } from '../base/streams.ts';
import type { Event, Fact } from './events.ts';

/**
 * Where a token verifier reads that sessions have ended. A token names its session and the revision of its `SignedIn`:
 * an end of all sessions ends those that began before it in the client's stream. Clocks play no part.
 */
export const SESSION_ENDS = {
  category: 'client',
  types: ['SignedOut.v1', 'SessionsEnded.v1'] as const satisfies readonly Event['type'][],
  streamOf: clientStream,
  clientOf: keyOfStream,
  endOf: sessionEndOf,
};

/** `sessionId` null: all earlier sessions. `untilMs`: their last token has expired by then, so the end may be forgotten. */
export type SessionEnd = { sessionId: string | null; untilMs: number };

/** The sessions that the fact ends; null if it ends none. */
export function sessionEndOf(fact: Fact): SessionEnd | null {
  if (fact.type === 'SignedOut.v1') {
    return { sessionId: fact.data.sessionId, untilMs: Date.parse(fact.data.expiresAt) };
  }
  return fact.type === 'SessionsEnded.v1' ? { sessionId: null, untilMs: Date.parse(fact.data.until) } : null;
}
