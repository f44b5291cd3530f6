import type { ClientEvent, EventOf, Role } from '@brokerx/contracts';

/**
 * What decisions about a person need to know: `unknown` → `pending` (registered, waiting for the passcode) →
 * `verified`. Personal fields stay sealed here.
 */
export type Client = { status: 'unknown' } | RegisteredClient;

export type RegisteredClient = {
  status: 'pending' | 'verified';
  clientId: string;
  accountId: string;
  roles: readonly Role[];
  /** Sealed fields and the event that they are sealed for. */
  sealed: SealedFields & { eventId: string };
  emailHmac: string;
  /** Empty for the operator of the configuration, who has no telephone. */
  phoneHmac: string;
  /** The newest passcode, until it was used. */
  passcode: { eventId: string; codeHmac: string; expiresAtMs: number; failures: number } | null;
  /** When each passcode was sent, oldest first; `PASSCODES_MAX` at most. */
  issuedAtMs: readonly number[];
  /** Whether a session began since all were ended last. */
  signedIn: boolean;
  /** Answered requests, oldest first; `KEYS_MAX` at most. */
  keys: readonly AnsweredKey[];
};

export type SealedFields = Pick<
  EventOf<'ClientRegistered.v1'>['data'],
  'name' | 'address' | 'birthDate' | 'email' | 'phone' | 'passwordHash'
>;
export type AnsweredKey = { id: string; hash: string; answer: 'accepted' | 'PASSCODE_WRONG' };

/** Passcodes and tries are bounded, so nobody honest comes near. */
export const KEYS_MAX = 100;

export const unknownClient: Client = { status: 'unknown' };

export function evolveClient(client: Client, event: ClientEvent): Client {
  if (event.type === 'ClientRegistered.v1') {
    if (client.status !== 'unknown') throw new Error('a client was registered twice');
    return registered(event);
  }
  if (client.status === 'unknown') throw new Error(`${event.type} of a client that is not registered`);
  switch (event.type) {
    case 'PasscodeIssued.v1': {
      const { codeHmac, expiresAt } = event.data;
      return {
        ...client,
        passcode: { eventId: event.id, codeHmac, expiresAtMs: Date.parse(expiresAt), failures: 0 },
        issuedAtMs: [...client.issuedAtMs, Date.parse(event.time)],
        keys: withKey(client.keys, event, 'accepted'),
      };
    }
    case 'PasscodeFailed.v1': {
      const { passcode } = client;
      return {
        ...client,
        passcode: passcode && { ...passcode, failures: passcode.failures + 1 },
        keys: withKey(client.keys, event, 'PASSCODE_WRONG'),
      };
    }
    case 'ClientVerified.v1':
      return {
        ...client,
        status: 'verified',
        passcode: null,
        keys: withKey(client.keys, event, 'accepted'),
      };
    case 'SignedIn.v1':
      return { ...client, signedIn: true };
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
    issuedAtMs: [],
    signedIn: false,
    keys: withKey([], event, 'accepted'),
  };
}

function withKey(
  keys: readonly AnsweredKey[],
  event: ClientEvent,
  answer: AnsweredKey['answer'],
): readonly AnsweredKey[] {
  return event.key ? [...keys, { ...event.key, answer }].slice(-KEYS_MAX) : keys;
}
