import type { ClientEvent, EventOf, Role } from '@brokerx/contracts';

/**
 * The state of a client, as decisions need it: `unknown` → `pending` (registered, waiting for the passcode) → `verified` or
 * `expired`, which are final. Personal fields stay sealed here.
 */
export type Client = { status: 'unknown' } | { status: 'expired' } | RegisteredClient;

export type RegisteredClient = {
  status: 'pending' | 'verified';
  clientId: string;
  accountId: string;
  roles: readonly Role[];
  /** The sealed fields, and the event for which they were sealed. */
  sealed: SealedFields & { eventId: string };
  /** A newer hash of the password, sealed for the event that recorded it; null: there is none. */
  rehashed: { eventId: string; passwordHash: string } | null;
  emailHmac: string;
  /** Empty for the operator of the configuration, who has no telephone. */
  phoneHmac: string;
  /** The newest passcode; null before the first one, and once one was used. */
  passcode: IssuedPasscode | null;
  registeredAtMs: number;
  /** Whether the mail that the registration ends soon was begun. */
  reminded: boolean;
  /** When each passcode was sent, oldest first; `PASSCODES_MAX` at most. */
  issuedAtMs: readonly number[];
  /** Whether a session began after all sessions were last ended. */
  signedIn: boolean;
  /** Keyed hashes of the networks of sign-ins, the latest last; `NETWORKS_MAX` at most. */
  networks: readonly string[];
  /** Idempotency keys of answered requests, oldest first; `KEYS_MAX` at most. */
  keys: readonly AnsweredKey[];
};

export const isRegistered = (client: Client): client is RegisteredClient =>
  client.status === 'pending' || client.status === 'verified';

export type IssuedPasscode = {
  eventId: string;
  codeHmac: string;
  expiresAtMs: number;
  failures: number;
  /** Only a mail that is `due` is sent; of one that is `begun` the mail server may have it already. */
  mail: 'due' | 'begun' | 'refused';
  mailAttempts: number;
};
export type SealedFields = Pick<
  EventOf<'ClientRegistered.v1'>['data'],
  'name' | 'address' | 'birthDate' | 'email' | 'phone' | 'passwordHash'
>;
export type AnsweredKey = { id: string; hash: string; answer: 'accepted' | 'PASSCODE_WRONG' };

/** Passcodes and tries are limited, so no honest client comes near this many keys. */
const KEYS_MAX = 100;
/** Enough for home, office, telephone and providers that change addresses. Beyond it, the one unused for longest is forgotten. */
export const NETWORKS_MAX = 20;

export const unknownClient: Client = { status: 'unknown' };

export function evolveClient(client: Client, event: ClientEvent): Client {
  if (event.type === 'ClientRegistered.v1') {
    if (client.status !== 'unknown') throw new Error('a client was registered twice');
    return registered(event);
  }
  if (!isRegistered(client)) {
    // Failed sign-ins are also recorded for addresses without a client, and for those of expired registrations.
    if (event.type === 'SignInFailed.v1') return client;
    const subject =
      client.status === 'unknown' ? 'a client that is not registered' : 'a registration that has expired';
    throw new Error(`${event.type} of ${subject}`);
  }
  switch (event.type) {
    case 'PasscodeIssued.v1':
      return withPasscode(client, event);
    case 'PasscodeFailed.v1': {
      const { passcode } = client;
      return {
        ...client,
        passcode: passcode && { ...passcode, failures: passcode.failures + 1 },
        keys: withKey(client.keys, event, 'PASSCODE_WRONG'),
      };
    }
    case 'PasscodeMailBegun.v1':
      return withMail(client, event.data.passcodeId, (passcode) => ({
        mail: 'begun',
        mailAttempts: passcode.mailAttempts + 1,
      }));
    case 'PasscodeMailFailed.v1': {
      const { passcodeId, final } = event.data;
      return withMail(client, passcodeId, () => ({ mail: final ? 'refused' : 'due' }));
    }
    case 'ClientVerified.v1':
      return {
        ...client,
        status: 'verified',
        passcode: null,
        keys: withKey(client.keys, event, 'accepted'),
      };
    case 'RegistrationReminderBegun.v1':
      return { ...client, reminded: true };
    case 'RegistrationExpired.v1':
      if (client.status === 'verified') throw new Error('a verified client expired');
      return { status: 'expired' };
    case 'SignedIn.v1':
      return { ...client, signedIn: true, networks: withNetwork(client.networks, event.data.network) };
    case 'PasswordRehashed.v1':
      return { ...client, rehashed: { eventId: event.id, passwordHash: event.data.passwordHash } };
    case 'SessionsEnded.v1':
      return { ...client, signedIn: false };
    case 'SignedOut.v1':
    case 'SignInFailed.v1':
      return client;
    default:
      throw new Error(`${event.type} does not belong to a client`);
  }
}

function registered(event: EventOf<'ClientRegistered.v1'>): RegisteredClient {
  const { clientId, accountId, roles, emailHmac, phoneHmac, ...sealed } = event.data;
  return {
    status: 'pending',
    clientId,
    accountId,
    roles,
    sealed: { ...sealed, eventId: event.id },
    emailHmac,
    phoneHmac,
    passcode: null,
    registeredAtMs: Date.parse(event.time),
    reminded: false,
    issuedAtMs: [],
    signedIn: false,
    networks: [],
    rehashed: null,
    keys: withKey([], event, 'accepted'),
  };
}

function withPasscode(client: RegisteredClient, event: EventOf<'PasscodeIssued.v1'>): RegisteredClient {
  const { codeHmac, expiresAt } = event.data;
  const expiresAtMs = Date.parse(expiresAt);
  return {
    ...client,
    passcode: { eventId: event.id, codeHmac, expiresAtMs, failures: 0, mail: 'due', mailAttempts: 0 },
    issuedAtMs: [...client.issuedAtMs, Date.parse(event.time)],
    keys: withKey(client.keys, event, 'accepted'),
  };
}

/** Changes the mail state of the client's passcode, unless a newer passcode has replaced it. */
function withMail(
  client: RegisteredClient,
  passcodeId: string,
  change: (passcode: IssuedPasscode) => Partial<IssuedPasscode>,
): RegisteredClient {
  const { passcode } = client;
  if (passcode?.eventId !== passcodeId) return client;
  return { ...client, passcode: { ...passcode, ...change(passcode) } };
}

function withNetwork(networks: readonly string[], network: string | undefined): readonly string[] {
  if (network === undefined) return networks;
  return [...networks.filter((earlier) => earlier !== network), network].slice(-NETWORKS_MAX);
}

function withKey(
  keys: readonly AnsweredKey[],
  event: ClientEvent,
  answer: AnsweredKey['answer'],
): readonly AnsweredKey[] {
  return event.key ? [...keys, { ...event.key, answer }].slice(-KEYS_MAX) : keys;
}
