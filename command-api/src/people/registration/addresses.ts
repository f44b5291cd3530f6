import { type Cause, clientStream, emailStream } from '@brokerx/contracts';
import { strangerIdOf } from '../lookups.ts';
import { type People, withoutKey } from '../people.ts';
import { confirm } from './reservation.ts';

/**
 * Whose an e-mail address is. A confirmation makes it the client's one step before it verifies the client; a
 * registration that ended between the two has left it behind, and it is free.
 */
export type Address = {
  /** Null: nobody's. */
  owner: string | null;
  /** The client of the expired registration that had it last, if one still stands there. */
  leftBehindBy: string | null;
};

/** The same reads for an address that somebody has and for one that nobody has. */
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

/** Makes the e-mail address the client's; false when it is another's. */
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
