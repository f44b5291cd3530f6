import { comparableEmail, deriveId, mailboxOf } from '@brokerx/contracts';
import { deriveKey, keyedHash } from '@brokerx/infra';

/**
 * Makes the keyed hashes by which clients are found although their data is not stored in the clear, and passcodes. Each
 * purpose has a key of its own, derived from the master key. Without that key, hashing all addresses or all million codes
 * finds nothing.
 */
export type Lookups = {
  emailHmac(email: string): string;
  /** The same for all addresses of one mailbox. */
  mailboxHmac(email: string): string;
  phoneHmac(phone: string): string;
  /**
   * The six digits that belong to a `PasscodeIssued` event. They are computed from its id and a secret, so a mail that a
   * crash held back can be written again, although the digits are stored nowhere.
   */
  passcode(clientId: string, eventId: string): string;
  passcodeHmac(clientId: string, eventId: string, code: string): string;
};

const PURPOSES = ['email', 'mailbox', 'phone', 'passcode', 'passcode-hash'] as const;
const CODES = 1_000_000;
const CODE_DIGITS = 6;

export function lookups(masterKey: Buffer): Lookups {
  const [email, mailbox, phone, code, check] = PURPOSES.map((purpose) => deriveKey(masterKey, purpose)) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  return {
    emailHmac: (address) => keyedHash(email, comparableEmail(address)),
    mailboxHmac: (address) => keyedHash(mailbox, mailboxOf(address)),
    phoneHmac: (number) => keyedHash(phone, number),
    passcode(clientId, eventId) {
      // 48 of the 256 bits: the remainder's bias is below one in 10⁸.
      const bits = Number.parseInt(keyedHash(code, `${clientId}|${eventId}`).slice(0, 12), 16);
      return String(bits % CODES).padStart(CODE_DIGITS, '0');
    },
    passcodeHmac: (clientId, eventId, digits) => keyedHash(check, `${clientId}|${eventId}|${digits}`),
  };
}

/** Namespaces of derived ids: constants of our own. */
const REGISTRATION = '3d3f1c52-6f0e-4b47-9a39-5f1f7a5f8f10';
const ACCOUNT = '8b8f6ab9-7f8b-4d0b-8f5e-0c5a7f2f3c21';
const STRANGER = '5b0f6a0e-9a34-4c53-8f0a-7d2c1e6b4f92';
const CONFIGURED_OPERATOR = 'e1b5a0b4-2c39-4a54-93f1-6d8f0b1c9a32';

/** The id of a registration and its client: the same request gets the same id in every process. */
export const clientIdOf = (idempotencyKey: string): string => deriveId(REGISTRATION, idempotencyKey);
export const accountIdOf = (clientId: string): string => deriveId(ACCOUNT, clientId);
/** The client id under which sign-ins are looked up and recorded for an address that no client has. */
export const strangerIdOf = (emailHmac: string): string => deriveId(STRANGER, emailHmac);
export const operatorIdOf = (emailHmac: string): string => deriveId(CONFIGURED_OPERATOR, emailHmac);
