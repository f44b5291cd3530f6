import type { Client, RegisteredClient } from '../client.ts';
import type { Decision } from '../decider.ts';

/**
 * Decides about a registration that nobody confirms: one reminder before its end, and then the end. Pure. Passcodes are
 * sent for `openMs` after the registration.
 */
type Moment = { nowMs: number; openMs: number };

/** When the registration ends: no passcode of it is valid from then on. */
export const endsAtMs = ({ registeredAtMs, passcode }: RegisteredClient, openMs: number): number =>
  Math.max(registeredAtMs + openMs, passcode?.expiresAtMs ?? 0);

/** Begins the reminder: once, and only while passcodes are still sent. */
export function beginReminder(client: Client, { nowMs, openMs }: Moment): Decision {
  if (!awaitsConfirmation(client) || client.reminded) return { facts: [] };
  if (nowMs >= client.registeredAtMs + openMs) return { facts: [] };
  return { facts: [{ type: 'RegistrationReminderBegun.v1', data: {} }] };
}

export function expire(client: Client, { nowMs, openMs }: Moment): Decision {
  if (!awaitsConfirmation(client) || nowMs < endsAtMs(client, openMs)) return { facts: [] };
  return { facts: [{ type: 'RegistrationExpired.v1', data: {} }] };
}

/** Except for the operator named in the configuration, who has no telephone: the next start verifies him. */
export const awaitsConfirmation = (client: Client): client is RegisteredClient =>
  client.status === 'pending' && client.phoneHmac !== '';
