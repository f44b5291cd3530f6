import { z } from 'zod';
import { text, word } from '../base/domains.ts';
import { Time } from '../base/time.ts';

/**
 * Events of people: `client-<id>`, and `email-<hmac>`, which keeps an address with the client who proved that it is his.
 * Older registrations claimed addresses before that, and telephone numbers (`phone-<hmac>`), too. A sealed field is AES-256-GCM ciphertext under the client's own key, with
 * `clientId|eventId|field` as associated data: destroying the key erases the person and nothing else.
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
    /** Keyed hashes; the first names the stream of the address. */
    emailHmac: word(100),
    phoneHmac: word(100),
  }),
  'PasscodeIssued.v1': z.strictObject({ codeHmac: word(100), expiresAt: Time }),
  'PasscodeFailed.v1': z.strictObject({}),
  /** From here on a mail server may have the mail of this passcode; without this it has none. */
  'PasscodeMailBegun.v1': z.strictObject({ passcodeId: z.uuid() }),
  /** The mail server did not take it. `final`: and never will; `reply`: its codes, such as `550 5.1.1`. */
  'PasscodeMailFailed.v1': z.strictObject({ passcodeId: z.uuid(), final: z.boolean(), reply: text(100) }),
  'ClientVerified.v1': z.strictObject({}),
  /** From here on a mail server may have the mail that says when the registration ends; without this it has none. */
  'RegistrationReminderBegun.v1': z.strictObject({}),
  /** Nobody verified in time: the registration is over for ever, and the client's key is destroyed next. */
  'RegistrationExpired.v1': z.strictObject({}),
  /** `network`: a keyed hash, under the client's own key, of where the sign-in came from. */
  'SignedIn.v1': z.strictObject({
    sessionId: z.uuid(),
    expiresAt: Time,
    ip: Sealed,
    network: word(100).optional(),
  }),
  /** The same password, hashed as passwords are hashed now. */
  'PasswordRehashed.v1': z.strictObject({ passwordHash: Sealed }),
  'SignInFailed.v1': z.strictObject({ ip: Sealed }),
  /** The client ended this session; `expiresAt` is when it would have ended by itself. */
  'SignedOut.v1': z.strictObject({ sessionId: z.uuid(), expiresAt: Time }),
  /** All sessions that began earlier in the stream are over; without this the last of them would be at `until`. */
  'SessionsEnded.v1': z.strictObject({ until: Time }),
} as const;

export const clientEvents = data;
type Data = typeof data;
export type ClientFact = { [T in keyof Data]: { type: T; data: z.infer<Data[T]> } }[keyof Data];
