import type { EventOf } from '@brokerx/contracts';

/** Who has activated the kill switch of an account, and why. */
export type Killed = { by: 'owner' | 'operator'; reason: string | null };

/** The state of the kill switch after the event; null: released. */
export const killedBy = (
  event: EventOf<'KillSwitchActivated.v1' | 'KillSwitchReleased.v1'>,
): Killed | null =>
  event.type === 'KillSwitchActivated.v1' ? { by: event.data.by, reason: event.data.reason } : null;
