import { type Cause, type Event, mintId, requestIdOf, timeOf } from '@brokerx/contracts';
import {
  type Appender,
  type ClientKey,
  deriveKey,
  type EventStore,
  isErased,
  keyedHash,
  type Log,
  type Runtime,
  sealField,
  unsealField,
  type Vault,
} from '@brokerx/infra';
import type { Accounts } from '../account/accounts.ts';
import { type Client, evolveClient, type RegisteredClient, unknownClient } from './client.ts';
import { type FoldedStreams, foldedStreams } from './foldedStreams.ts';
import type { Lookups } from './lookups.ts';
import type { Refused } from './refused.ts';
import type { MailLimits } from './registration/mailLimits.ts';
import { evolveReservation, freeReservation, type Reservation } from './registration/reservation.ts';
import type { Passwords } from './signIn/passwords.ts';

/** What registration and sign-in work with: the folded streams of clients and addresses, keys, look-ups and limits. */
export type People = {
  clients: FoldedStreams<Client>;
  reservations: FoldedStreams<Reservation>;
  accounts: Accounts;
  vault: Vault;
  lookups: Lookups;
  passwords: Passwords;
  mailLimits: MailLimits;
  /** How long a registration waits for its passcode, in milliseconds; then it expires. */
  openMs: number;
  runtime: Runtime;
  log: Log;
};

export function people(
  options: { store: EventStore<Event>; appender: Appender<Event> } & Omit<People, 'clients' | 'reservations'>,
): People {
  const { store, appender, ...rest } = options;
  const streams = { store, appender, runtime: rest.runtime };
  return {
    ...rest,
    clients: foldedStreams({ ...streams, initial: unknownClient, evolve: evolveClient }),
    reservations: foldedStreams({ ...streams, initial: freeReservation, evolve: evolveReservation }),
  };
}

/** The circumstances of a command. `key` is its Idempotency-Key. */
export type RequestContext = Origin & { key: string; traceparent: string };
/** Who sends a request: the IP address, and whether the connection has been closed meanwhile. */
export type Origin = { ip: string; isGone(): boolean };

/** The result of a command, which the routes turn into an HTTP reply. */
export type Answer<V> =
  | {
      view: V;
      /** Whether the key was answered before, and this is that answer. */
      replayed: boolean;
      /** Position of the newest event that the answer depends on. */
      position: number;
    }
  | Refused;

export function causeOf(
  { runtime }: Pick<People, 'runtime'>,
  actor: string,
  { traceparent, key }: { traceparent: string; key?: { id: string; hash: string } },
): Cause {
  const correlationId = requestIdOf(traceparent) ?? mintId(runtime);
  const time = timeOf(runtime.nowMs());
  return { time, actor, correlationId, causationId: correlationId, traceparent, key };
}

/** The same cause for events of other streams. The key is stored with one commit only. */
export const withoutKey = (cause: Cause): Cause => ({ ...cause, key: undefined });

/** A keyed hash of a request's body. Bodies hold passwords and codes, which could be guessed from a hash without a key. */
export const requestHash = (key: ClientKey, command: string, body: object): string =>
  keyedHash(deriveKey(key.secret, 'request'), `${command}|${JSON.stringify(body)}`);

/** The client's key, from which personal fields are read; null when it was destroyed. */
export async function clientKey(
  { vault }: Pick<People, 'vault'>,
  clientId: string,
): Promise<ClientKey | null> {
  const key = await vault.key(clientId);
  return key && !isErased(key) ? key : null;
}

export type SealedName = keyof Omit<RegisteredClient['sealed'], 'eventId' | 'passwordHash'>;

export const unsealOf = (key: ClientKey, client: RegisteredClient, field: SealedName): string =>
  unsealField(key, { eventId: client.sealed.eventId, field }, client.sealed[field]);

/** The newest hash of the client's password. */
export function passwordHashOf(key: ClientKey, { sealed, rehashed }: RegisteredClient): string {
  const { eventId, passwordHash } = rehashed ?? sealed;
  return unsealField(key, { eventId, field: 'passwordHash' }, passwordHash);
}

/** Makes a function that seals personal fields of the event `eventId`. */
export const sealer =
  ({ runtime }: Pick<People, 'runtime'>, key: ClientKey, eventId: string) =>
  (field: SealedName | 'passwordHash' | 'ip', text: string): string =>
    sealField(key, { eventId, field }, text, runtime);
