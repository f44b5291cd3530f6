import { type ClientFact, type EventOf, type RefusalCode, timeOf } from '@brokerx/contracts';
import { type Client, isRegistered, type RegisteredClient } from './client.ts';

/**
 * Decides commands of a client: register, send a passcode, check one, end sessions. Pure: ids, times, hashes and sealed
 * fields come with the command. A refusal may carry a fact: a wrong passcode is counted.
 */
export type Decision = {
  facts: readonly ClientFact[];
  refused?: RefusalCode;
  /** How long until the limit that was exceeded allows the command again. */
  retryAfterMs?: number;
};

/** NIST SP 800-63B and ASVS 6.5.5: an out-of-band code is valid for at most ten minutes. */
export const PASSCODE_VALID_MS = 10 * 60_000;
const PASSCODE_TRIES_MAX = 5;
/** Passcodes sent within an hour, the first of the registration not counted. */
const RESENDS_PER_HOUR_MAX = 3;
const HOUR_MS = 3_600_000;
/** Passcodes of one registration. With five tries each, the chance of guessing one of 10⁶ codes stays below 1 : 16,000. */
export const PASSCODES_MAX = 12;
/**
 * Attempts to mail a passcode while the mail server does not take it. With the waits between them they end before the
 * passcode expires.
 */
export const MAIL_ATTEMPTS_MAX = 14;

type Passcode = { codeHmac: string; nowMs: number };

export function register(
  client: Client,
  command: { registration: EventOf<'ClientRegistered.v1'>['data']; passcode: Passcode | null },
): Decision {
  if (client.status !== 'unknown') return { facts: [] };
  const { registration, passcode } = command;
  return {
    facts: [
      { type: 'ClientRegistered.v1', data: registration },
      ...(passcode ? [passcodeIssued(passcode)] : []),
    ],
  };
}

/** Issues another passcode. A verified client needs none: nothing is sent, and nothing is refused. */
export function resendPasscode(client: Client, passcode: Passcode & { openMs: number }): Decision {
  if (client.status === 'unknown') return { facts: [], refused: 'REGISTRATION_NOT_FOUND' };
  if (client.status === 'expired') return { facts: [], refused: 'REGISTRATION_EXPIRED' };
  if (client.status === 'verified') return { facts: [] };
  const { nowMs, openMs } = passcode;
  if (nowMs >= client.registeredAtMs + openMs) return { facts: [], refused: 'REGISTRATION_EXPIRED' };
  if (client.issuedAtMs.length >= PASSCODES_MAX) return { facts: [], refused: 'PASSCODE_LIMIT' };
  const recentMs = client.issuedAtMs.slice(1).filter((atMs) => atMs > nowMs - HOUR_MS);
  const oldestMs = recentMs.at(-RESENDS_PER_HOUR_MAX);
  if (oldestMs !== undefined) {
    return { facts: [], refused: 'PASSCODE_LIMIT', retryAfterMs: oldestMs + HOUR_MS - nowMs };
  }
  return { facts: [passcodeIssued(passcode)] };
}

/** Checks a typed code. `codeHmac` is its keyed hash, made for the client's newest passcode. */
export function verifyPasscode(client: Client, command: { codeHmac: string; nowMs: number }): Decision {
  if (client.status === 'unknown') return { facts: [], refused: 'REGISTRATION_NOT_FOUND' };
  if (client.status === 'expired') return { facts: [], refused: 'REGISTRATION_EXPIRED' };
  const { passcode } = client;
  if (!passcode) return { facts: [], refused: 'PASSCODE_WRONG' };
  if (passcode.failures >= PASSCODE_TRIES_MAX) return { facts: [], refused: 'PASSCODE_LOCKED' };
  if (passcode.expiresAtMs <= command.nowMs) return { facts: [], refused: 'PASSCODE_WRONG' };
  if (passcode.codeHmac !== command.codeHmac) {
    return { facts: [{ type: 'PasscodeFailed.v1', data: {} }], refused: 'PASSCODE_WRONG' };
  }
  return { facts: [{ type: 'ClientVerified.v1', data: {} }] };
}

/**
 * Begins the mail of a passcode: once, unless the mail server certainly does not have it. A passcode that may have been
 * mailed before a crash is not mailed again; a client who waits in vain asks for another one.
 */
export function beginMail(client: Client, { passcodeId }: { passcodeId: string }): Decision {
  if (client.status !== 'pending' || client.passcode?.eventId !== passcodeId) return { facts: [] };
  const { mail, mailAttempts } = client.passcode;
  if (mail !== 'due' || mailAttempts >= MAIL_ATTEMPTS_MAX) return { facts: [] };
  return { facts: [{ type: 'PasscodeMailBegun.v1', data: { passcodeId } }] };
}

export function mailFailed(
  client: Client,
  failure: { passcodeId: string; final: boolean; reply: string },
): Decision {
  if (!isRegistered(client) || client.passcode?.eventId !== failure.passcodeId) return { facts: [] };
  return { facts: [{ type: 'PasscodeMailFailed.v1', data: failure }] };
}

/** Verifies the operator named in the configuration: being able to write it is proof enough. */
export function verifyByConfiguration(client: RegisteredClient): Decision {
  return { facts: client.status === 'verified' ? [] : [{ type: 'ClientVerified.v1', data: {} }] };
}

/** In development alone: an operator says so, and why, instead of a passcode. */
export function verifyByOperator(client: RegisteredClient, reason: string): Decision {
  return { facts: client.status === 'verified' ? [] : [{ type: 'ClientVerified.v1', data: { reason } }] };
}

/** Ends one session. A second sign-out of the same session is recorded, too, and changes nothing. */
export function signOut(client: Client, session: { sessionId: string; expiresAtMs: number }): Decision {
  if (!isRegistered(client)) return { facts: [], refused: 'CLIENT_NOT_FOUND' };
  const { sessionId, expiresAtMs } = session;
  return { facts: [{ type: 'SignedOut.v1', data: { sessionId, expiresAt: timeOf(expiresAtMs) } }] };
}

/** Ends all sessions that the client has begun. `tokensExpireMs` is when a token that is issued now expires. */
export function endSessions(client: Client, { tokensExpireMs }: { tokensExpireMs: number }): Decision {
  if (!isRegistered(client)) return { facts: [], refused: 'CLIENT_NOT_FOUND' };
  if (!client.signedIn) return { facts: [] };
  return { facts: [{ type: 'SessionsEnded.v1', data: { until: timeOf(tokensExpireMs) } }] };
}

const passcodeIssued = ({ codeHmac, nowMs }: Passcode): ClientFact => ({
  type: 'PasscodeIssued.v1',
  data: { codeHmac, expiresAt: timeOf(nowMs + PASSCODE_VALID_MS) },
});
