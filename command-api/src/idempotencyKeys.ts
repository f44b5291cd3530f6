import { timeOf, uuidV7TimeMs } from '@brokerx/contracts';
import { type KeptKey, PackedKeys } from './packedKeys.ts';
import type { Refusal } from './refusal.ts';

/**
 * The idempotency keys that an account or a market remembers: each with the revision of the event that answered it,
 * from which the answer is rebuilt, and a part of its request's hash. The log is a fold of events, so a restart does not change it.
 * It forgets keys older than a day of event time, and all but the newest 10,000.
 *
 * No key is carried out twice. A key of version 7 bears its time: the log takes none at or before the time of the newest
 * forgotten key. A key of another version is refused as long as it may be among the forgotten keys of the last day.
 */
export type KeyLog = {
  kept: PackedKeys;
  /** The newest time inside a forgotten version 7 key; 0 before the first was forgotten. */
  forgottenMs: number;
  /** The newest event time of a forgotten key of any version; 0 before the first was forgotten. */
  forgottenAtMs: number;
};

/** Some 400 KB for the busiest account, and the names of its orders: 10,000 orders at 100 a second are the last 100 seconds. */
export const KEYS_MAX = 10_000;
export const KEY_AGE_MAX_MS = 24 * 3_600_000;
/** Clocks of clients may be ahead by this much, and those of processes differ by it. */
export const KEY_AHEAD_MAX_MS = 60_000;

export const emptyKeyLog = (): KeyLog => ({ kept: new PackedKeys(), forgottenMs: 0, forgottenAtMs: 0 });

/**
 * Looks a request's key up: its earlier answer, a refusal if the key may have been answered and forgotten, or `unknown`.
 * A derived key is never refused: it is carried out only beside the key that it is derived from, which is forgotten first.
 */
export function recall(
  log: KeyLog,
  key: { id: string; derived?: true },
  nowMs: number,
): KeptKey | Refusal | 'unknown' {
  const kept = log.kept.get(key.id);
  if (kept) return kept;
  if (key.derived) return 'unknown';
  const timeMs = uuidV7TimeMs(key.id);
  if (timeMs === undefined) {
    const untilMs = log.forgottenAtMs + KEY_AGE_MAX_MS;
    if (nowMs >= untilMs) return 'unknown';
    return { code: 'IDEMPOTENCY_KEY_VERSION', detail: `until ${timeOf(untilMs)} only version 7 is taken` };
  }
  if (timeMs > nowMs + KEY_AHEAD_MAX_MS) return ahead(timeMs, nowMs);
  const sinceMs = Math.max(log.forgottenMs + 1, nowMs - KEY_AGE_MAX_MS);
  return timeMs >= sinceMs ? 'unknown' : stale(`at ${timeOf(timeMs)}; taken from ${timeOf(sinceMs)} on`);
}

const stale = (minted: string): Refusal => ({
  code: 'STALE_REQUEST',
  detail: `the key was minted ${minted}`,
});

/** Refuses a key from the future; if the client's clock is fast by a day at most, the refusal says when to send it again. */
function ahead(timeMs: number, nowMs: number): Refusal {
  const refusal = stale(`at ${timeOf(timeMs)}; it is ${timeOf(nowMs)}`);
  const waitMs = timeMs - nowMs - KEY_AHEAD_MAX_MS;
  return waitMs > KEY_AGE_MAX_MS ? refusal : { ...refusal, retryAfterSeconds: Math.ceil(waitMs / 1_000) };
}

/**
 * Keeps a key, and calls `forgotten` for each key that it drops. Keys of a day stay a little longer than the day, so that
 * a process whose clock is behind still finds every key of its last day.
 */
export function keep(
  log: KeyLog,
  id: string,
  key: KeptKey,
  forgotten: (key: KeptKey) => void,
  keysMax = KEYS_MAX,
): void {
  log.kept.set(id, key);
  const youngMs = key.timeMs - KEY_AGE_MAX_MS - KEY_AHEAD_MAX_MS;
  while (log.kept.size > keysMax || (log.kept.oldestMs() ?? youngMs) < youngMs) {
    const [oldId, old] = log.kept.dropOldest();
    log.forgottenMs = Math.max(log.forgottenMs, uuidV7TimeMs(oldId) ?? 0);
    log.forgottenAtMs = Math.max(log.forgottenAtMs, old.timeMs);
    forgotten(old);
  }
}

/** The 32 bits of a request's hash that are remembered (FNV-1a). */
export function shortHash(hash: string): number {
  let short = 0x811c9dc5;
  for (let i = 0; i < hash.length; i++) short = Math.imul(short ^ hash.charCodeAt(i), 0x01000193);
  return short >>> 0;
}

/** One line a key: a log of 10,000 is one string of about 700 KB, written in a millisecond or two. */
export function keyLogText(log: KeyLog): KeyLogText {
  const lines: string[] = [];
  for (const [id, { hash, revision, timeMs, clientOrderId }] of log.kept) {
    lines.push(`${id} ${hash} ${revision} ${timeMs} ${clientOrderId ?? ''}`);
  }
  const { forgottenMs, forgottenAtMs } = log;
  return { forgottenMs, forgottenAtMs, kept: lines.join('\n') };
}
type KeyLogText = Omit<KeyLog, 'kept'> & { kept: string };

export function keyLogFrom(text: KeyLogText): KeyLog {
  const kept = new PackedKeys();
  for (const line of text.kept === '' ? [] : text.kept.split('\n')) {
    const [id = '', hash, revision, timeMs, clientOrderId = ''] = line.split(' ');
    kept.set(id, {
      hash: Number(hash),
      revision: Number(revision),
      timeMs: Number(timeMs),
      clientOrderId: clientOrderId === '' ? null : clientOrderId,
    });
  }
  return { ...text, kept };
}
