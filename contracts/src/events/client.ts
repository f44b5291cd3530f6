import { z } from 'zod';
import { text, word } from '../base/domains.ts';
import { Time } from '../base/time.ts';

/**
 * Events of people: `client-<id>`, and `email-<hmac>`, which reserves an address for the client who proved to own it.
 * Older registrations reserved addresses before that proof, and telephone numbers (`phone-<hmac>`) as well. A sealed
 * field is AES-256-GCM ciphertext under the client's own key, with `clientId|eventId|field` as associated data:
 * destroying the key erases the person and nothing else.
 */

/** `enc.v1.<key id>.<nonce>.<ciphertext and tag>`, the last two base64url. */
export const Sealed = z.string().regex(/^enc\.v1\.[0-9a-f-]{36}\.[\w-]{16}\.[\w-]+$/);
export const Role = z.enum(['trader', 'operator', 'analyst']);
export type Role = z.infer<typeof Role>;

const data = {
  'ReservationClaimed.v1': z.strictObject({ clientId: z.uuid(), until: Time }),
  'ReservationConfirmed.v1': z.strictObject({ clientId: z.uuid() }),
  'ReservationReleased.v1': z.strictObject({ clientId: z.uuid() }),
  'ClientRegistered.v1': z.strictObject({
    clientId: z.uuid(),
    accountId: z.uuid(),
    roles: z.array(Role).min(1),
    name: Sealed,
    address: Sealed,
    birthDate: Sealed,
    email: Sealed,
    phone: Sealed,
    /** Argon2id in PHC form. */
    passwordHash: Sealed,
    /** Keyed hashes. That of the address is the key of its stream. */
    emailHmac: word(100),
    phoneHmac: word(100),
  }),
  'PasscodeIssued.v1': z.strictObject({ codeHmac: word(100), expiresAt: Time }),
  'PasscodeFailed.v1': z.strictObject({}),
  /** From here on a mail server may have the mail with this passcode; before, none has it. */
  'PasscodeMailBegun.v1': z.strictObject({ passcodeId: z.uuid() }),
  /** The mail server refused the mail. `final`: it always will. `reply`: the server's codes, such as `550 5.1.1`. */
  'PasscodeMailFailed.v1': z.strictObject({ passcodeId: z.uuid(), final: z.boolean(), reply: text(100) }),
  /** `reason`: why an operator of a development installation verified the client, without a passcode. */
  'ClientVerified.v1': z.strictObject({ reason: text(100).optional() }),
  /** From here on a mail server may have the mail that says when the registration ends; before, none has it. */
  'RegistrationReminderBegun.v1': z.strictObject({}),
  /** The client did not verify in time: the registration is over for ever, and the client's key is destroyed next. */
  'RegistrationExpired.v1': z.strictObject({}),
  /** `network`: the network that the sign-in came from, hashed under the client's own key. */
  'SignedIn.v1': z.strictObject({
    sessionId: z.uuid(),
    expiresAt: Time,
    ip: Sealed,
    network: word(100).optional(),
  }),
  /** The same password, hashed again with the parameters that are used now. */
  'PasswordRehashed.v1': z.strictObject({ passwordHash: Sealed }),
  'SignInFailed.v1': z.strictObject({ ip: Sealed }),
  /** The client ended this session. `expiresAt` is when it would have expired. */
  'SignedOut.v1': z.strictObject({ sessionId: z.uuid(), expiresAt: Time }),
  /** All sessions that began earlier in the stream have ended. The last of them would have expired at `until`. */
  'SessionsEnded.v1': z.strictObject({ until: Time }),
} as const;

export const clientEvents = data;
type Data = typeof data;
export type ClientFact = { [T in keyof Data]: { type: T; data: z.infer<Data[T]> } }[keyof Data];
