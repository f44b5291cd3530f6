import type { ClientEvent, ClientFact } from '@brokerx/contracts';

/**
 * An e-mail address and the one client who may sign in with it: whoever proves first, by a passcode, that its mail is
 * his. Nothing is reserved before, so that nobody's address can be blocked by others, and a registration does the same
 * whether or not its address is known. Older streams have claims in them, which hold nobody up. The stream's name is a
 * keyed hash, so the store holds no address.
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
 * The facts to record, none when it is so already; `taken` when it is another client's. `leftBehindBy`: a client whose
 * registration has expired; nobody else needs to give the address up.
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
