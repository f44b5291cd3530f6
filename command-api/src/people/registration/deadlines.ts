import type { Client, RegisteredClient } from '../client.ts';
import type { Decision } from '../decider.ts';

/**
 * What becomes of a registration that nobody confirms: a mail before its end, once, and then the end. Pure. `openMs`: for
 * how long after a registration passcodes are sent for it.
 */
type Moment = { nowMs: number; openMs: number };

/** From then on no passcode of it can be presented any more. */
export const endsAtMs = ({ registeredAtMs, passcode }: RegisteredClient, openMs: number): number =>
  Math.max(registeredAtMs + openMs, passcode?.expiresAtMs ?? 0);

/** Whoever registered is told once, and not when it is over. */
export function beginReminder(client: Client, { nowMs, openMs }: Moment): Decision {
  if (!waitsForSomebody(client) || client.reminded) return { facts: [] };
  if (nowMs >= client.registeredAtMs + openMs) return { facts: [] };
  return { facts: [{ type: 'RegistrationReminderBegun.v1', data: {} }] };
}

export function expire(client: Client, { nowMs, openMs }: Moment): Decision {
  if (!waitsForSomebody(client) || nowMs < endsAtMs(client, openMs)) return { facts: [] };
  return { facts: [{ type: 'RegistrationExpired.v1', data: {} }] };
}

/** The operator of the configuration, who has no telephone, waits for nobody: the next start verifies him. */
export const waitsForSomebody = (client: Client): client is RegisteredClient =>
  client.status === 'pending' && client.phoneHmac !== '';
