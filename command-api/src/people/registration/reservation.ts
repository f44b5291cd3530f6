import type { ClientEvent, ClientFact } from '@brokerx/contracts';

/**
 * An e-mail address and the one client who may sign in with it: the first who proves with a passcode that he reads its
 * mail. Nothing is reserved before, so nobody can block the address of another, and a registration makes the same steps
 * whether or not its address is known. Claims in streams of older versions block nobody. The stream's name is a keyed
 * hash, so the store does not contain the address.
 */
export type Reservation = { status: 'free' } | { status: 'confirmed'; clientId: string };

export const freeReservation: Reservation = { status: 'free' };

export function evolveReservation(reservation: Reservation, event: ClientEvent): Reservation {
  switch (event.type) {
    case 'ReservationClaimed.v1':
      if (reservation.status === 'confirmed') throw new Error('a confirmed address was claimed');
      return freeReservation;
    case 'ReservationConfirmed.v1':
      if (reservation.status === 'confirmed') throw new Error('a confirmed address was confirmed');
      return { status: 'confirmed', clientId: event.data.clientId };
    case 'ReservationReleased.v1':
      return freeReservation;
    default:
      throw new Error(`${event.type} does not belong to a reservation`);
  }
}

/**
 * Gives the address to a client: no facts when he has it already, `taken` when another client has it. Only the client
 * `leftBehindBy`, whose registration has expired, gives it up.
 */
export function confirm(
  reservation: Reservation,
  { clientId, leftBehindBy }: { clientId: string; leftBehindBy: string | null },
): readonly ClientFact[] | 'taken' {
  const confirmed: ClientFact = { type: 'ReservationConfirmed.v1', data: { clientId } };
  if (reservation.status === 'free') return [confirmed];
  const { clientId: holder } = reservation;
  if (holder === clientId) return [];
  return holder === leftBehindBy
    ? [{ type: 'ReservationReleased.v1', data: { clientId: holder } }, confirmed]
    : 'taken';
}
