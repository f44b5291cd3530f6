import { uuidV7TimeMs } from '@brokerx/contracts';

/**
 * The idempotency keys that an account (or a market) remembers: key → hash of the request, and the revision of the
 * event that answered it, from which the answer is rebuilt. It is a fold of events, so it is the same after any
 * restart. Keys older than a day of event time, or beyond the newest 10,000, are forgotten.
 */
export type KeptKey = {
  /** Hash of command, subject and body. */
  hash: string;
  /** Of the first event of the commit that answered the key. */
  revision: number;
  /** Event time, milliseconds since the Unix epoch. */
  timeMs: number;
  /** The name that the key's order took (several: joined by commas), given back when the key is forgotten; null for none. */
  clientOrderId: string | null;
};

export type KeyLog = {
  /** Oldest first. */
  kept: Map<string, KeptKey>;
  /** The newest time inside a forgotten version 7 key; 0 before the first was forgotten. */
  forgottenMs: number;
};

/** About 2 MB for the busiest account: 10,000 orders at 100 a second are the last 100 seconds. */
export const KEYS_MAX = 10_000;
export const KEY_AGE_MAX_MS = 24 * 3_600_000;
/** Clocks of clients may be ahead by this much. */
export const KEY_AHEAD_MAX_MS = 60_000;

export const emptyKeyLog = (): KeyLog => ({ kept: new Map(), forgottenMs: 0 });

/** What is known of a request's key. `stale`: it may have been known once, so it must not be carried out. */
export function recall(log: KeyLog, key: { id: string }, nowMs: number): KeptKey | 'unknown' | 'stale' {
  const kept = log.kept.get(key.id);
  if (kept) return kept;
  const timeMs = uuidV7TimeMs(key.id);
  if (timeMs === undefined) return 'unknown';
  const stale =
    timeMs <= log.forgottenMs || timeMs < nowMs - KEY_AGE_MAX_MS || timeMs > nowMs + KEY_AHEAD_MAX_MS;
  return stale ? 'stale' : 'unknown';
}

/** Keeps a key, and tells `forgotten` of those that go for it. */
export function keep(log: KeyLog, id: string, key: KeptKey, forgotten: (key: KeptKey) => void): void {
  log.kept.set(id, key);
  for (const [oldId, old] of log.kept) {
    if (log.kept.size <= KEYS_MAX && old.timeMs >= key.timeMs - KEY_AGE_MAX_MS) return;
    log.kept.delete(oldId);
    log.forgottenMs = Math.max(log.forgottenMs, uuidV7TimeMs(oldId) ?? 0);
    forgotten(old);
  }
}

/** One line a key: a log of 10,000 is one string of about 900 KB, written in a millisecond or two. */
export function keyLogText(log: KeyLog): { forgottenMs: number; kept: string } {
  const lines: string[] = [];
  for (const [id, { hash, revision, timeMs, clientOrderId }] of log.kept) {
    lines.push(`${id} ${hash} ${revision} ${timeMs} ${clientOrderId ?? ''}`);
  }
  return { forgottenMs: log.forgottenMs, kept: lines.join('\n') };
}

export function keyLogFrom(text: { forgottenMs: number; kept: string }): KeyLog {
  const kept = new Map<string, KeptKey>();
  for (const line of text.kept === '' ? [] : text.kept.split('\n')) {
    const [id = '', hash = '', revision, timeMs, clientOrderId = ''] = line.split(' ');
    kept.set(id, {
      hash,
      revision: Number(revision),
      timeMs: Number(timeMs),
      clientOrderId: clientOrderId === '' ? null : clientOrderId,
    });
  }
  return { kept, forgottenMs: text.forgottenMs };
}
