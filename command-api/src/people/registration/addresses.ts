import { type Cause, clientStream, emailStream } from '@brokerx/contracts';
import { strangerIdOf } from '../lookups.ts';
import { type People, withoutKey } from '../people.ts';
import { confirm } from './reservation.ts';

/**
 * Tells which client an e-mail address belongs to. A confirmation gives the address to the client one step before it
 * verifies the client. A registration that expires between the two steps leaves the address behind, and it is free.
 */
export type Address = {
  /** The client; null: nobody. */
  owner: string | null;
  /** The client of the expired registration to which the address is still confirmed, if any. */
  leftBehindBy: string | null;
};

/** Makes the same reads whether or not the address belongs to somebody, so that their number tells nothing. */
export async function addressOf(
  { clients, reservations }: Pick<People, 'clients' | 'reservations'>,
  emailHmac: string,
): Promise<Address> {
  const { state: reservation } = await reservations.read(emailStream(emailHmac));
  const holder = reservation.status === 'confirmed' ? reservation.clientId : null;
  const { state: client } = await clients.read(clientStream(holder ?? strangerIdOf(emailHmac)));
  return client.status === 'expired'
    ? { owner: null, leftBehindBy: holder }
    : { owner: holder, leftBehindBy: null };
}

/** Gives the e-mail address to the client; false when it belongs to another one. */
export async function confirmAddress(
  people: People,
  { clientId, emailHmac }: { clientId: string; emailHmac: string },
  cause: Cause,
): Promise<boolean> {
  const { leftBehindBy } = await addressOf(people, emailHmac);
  const { reply } = await people.reservations.execute(
    emailStream(emailHmac),
    withoutKey(cause),
    (reservation) => {
      const facts = confirm(reservation, { clientId, leftBehindBy });
      return facts === 'taken' ? { facts: [], reply: false } : { facts, reply: true };
    },
  );
  return reply;
}
