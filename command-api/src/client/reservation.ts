import type { ClientEvent, ClientFact } from '@brokerx/contracts';
import { timeOf } from '@brokerx/contracts';

/**
 * An e-mail address or telephone number and the one client who may use it: `free` → `claimed` by a registration
 * until a time → `confirmed` for good by its verification. A claim that ran out still stands until another client
 * wants the address; then it is released and claimed anew in one commit. The stream's name is a keyed hash, so the
 * store holds no address.
 */
export type Reservation =
  | { status: 'free' }
  | { status: 'claimed'; clientId: string; untilMs: number }
  | { status: 'confirmed'; clientId: string };

export const freeReservation: Reservation = { status: 'free' };

export function evolveReservation(reservation: Reservation, event: ClientEvent): Reservation {
  switch (event.type) {
    case 'ReservationClaimed.v1': {
      if (reservation.status === 'confirmed') throw new Error('a confirmed address was claimed');
      const { clientId, until } = event.data;
      return { status: 'claimed', clientId, untilMs: Date.parse(until) };
    }
    case 'ReservationConfirmed.v1':
      if (reservation.status !== 'claimed') throw new Error(`a ${reservation.status} address was confirmed`);
      return { status: 'confirmed', clientId: event.data.clientId };
    case 'ReservationReleased.v1':
      return freeReservation;
    default:
      throw new Error(`${event.type} does not belong to a reservation`);
  }
}

/** The facts to record, none when it is so already; `taken` when another client holds the address. */
export type ReservationDecision = readonly ClientFact[] | 'taken';

export function claim(
  reservation: Reservation,
  command: { clientId: string; nowMs: number; untilMs: number },
): ReservationDecision {
  const { clientId, nowMs, untilMs } = command;
  const claimed: ClientFact = { type: 'ReservationClaimed.v1', data: { clientId, until: timeOf(untilMs) } };
  if (reservation.status === 'free') return [claimed];
  if (reservation.clientId === clientId) {
    return reservation.status === 'claimed' && reservation.untilMs < untilMs ? [claimed] : [];
  }
  if (isHeld(reservation, nowMs)) return 'taken';
  return [{ type: 'ReservationReleased.v1', data: { clientId: reservation.clientId } }, claimed];
}

/** Claims first where the claim was lost meanwhile and nobody else holds the address. */
export function confirm(
  reservation: Reservation,
  command: { clientId: string; nowMs: number },
): ReservationDecision {
  const { clientId, nowMs } = command;
  if (reservation.status === 'confirmed' && reservation.clientId === clientId) return [];
  const claimed = claim(reservation, { clientId, nowMs, untilMs: nowMs });
  if (claimed === 'taken') return 'taken';
  return [...claimed, { type: 'ReservationConfirmed.v1', data: { clientId } }];
}

/** Without effect on what the client does not hold. */
export function release(reservation: Reservation, { clientId }: { clientId: string }): readonly ClientFact[] {
  if (reservation.status === 'free' || reservation.clientId !== clientId) return [];
  return [{ type: 'ReservationReleased.v1', data: { clientId } }];
}

/** Who holds the address now, if anybody. */
export function holderOf(reservation: Reservation, nowMs: number): string | null {
  return reservation.status !== 'free' && isHeld(reservation, nowMs) ? reservation.clientId : null;
}

const isHeld = (reservation: Exclude<Reservation, { status: 'free' }>, nowMs: number): boolean =>
  reservation.status === 'confirmed' || reservation.untilMs > nowMs;
