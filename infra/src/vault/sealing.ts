import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import type { Runtime } from '../runtime/runtime.ts';

/**
 * Seals personal fields for storage: AES-256-GCM under the client's own key, which the master key wraps. The associated data
 * names the place (`clientId|eventId|field`), so that a ciphertext moved elsewhere cannot be opened.
 * Text form: `enc.v1.<key id>.<nonce>.<ciphertext and tag>`, the last two in base64url.
 */

/** A client's key in the clear: 32 bytes that never leave the process. */
export type ClientKey = { keyId: string; clientId: string; secret: Buffer };
/** Stands for a destroyed key, and for every field that it sealed. */
export type Erased = { erased: true };
export const ERASED: Erased = Object.freeze({ erased: true });

/** The place of a sealed field. */
export type SealedPlace = { eventId: string; field: string };

export const KEY_BYTES = 32;
/** 96 bits, GCM's own size; random nonces are safe for 2³² fields of one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SEALED = /^enc\.v1\.([0-9a-f-]{36})\.([\w-]{16})\.([\w-]+)$/;

/** A new random key with a random id (UUIDv4). */
export function newClientKey(clientId: string, random: Pick<Runtime, 'randomBytes'>): ClientKey {
  const id = Buffer.from(random.randomBytes(16));
  id[6] = ((id[6] ?? 0) & 0x0f) | 0x40;
  id[8] = ((id[8] ?? 0) & 0x3f) | 0x80;
  const keyId = id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return { keyId, clientId, secret: Buffer.from(random.randomBytes(KEY_BYTES)) };
}

export function sealField(
  key: ClientKey,
  place: SealedPlace,
  text: string,
  random: Pick<Runtime, 'randomBytes'>,
): string {
  const nonce = random.randomBytes(NONCE_BYTES);
  const sealed = encrypt(key.secret, nonce, associated(key.clientId, place), Buffer.from(text));
  return `enc.v1.${key.keyId}.${Buffer.from(nonce).toString('base64url')}.${sealed.toString('base64url')}`;
}

/** The field's text; throws `SealBroken` if it was changed, moved, or sealed by another key. */
export function unsealField(key: ClientKey, place: SealedPlace, sealed: string): string {
  const [, keyId, nonce, rest] = SEALED.exec(sealed) ?? [];
  if (keyId !== key.keyId || !nonce || !rest) throw new SealBroken(`not sealed by the key ${key.keyId}`);
  const aad = associated(key.clientId, place);
  return decrypt(key.secret, Buffer.from(nonce, 'base64url'), aad, Buffer.from(rest, 'base64url')).toString();
}

/** The id of the key that sealed the field. */
export function keyIdOf(sealed: string): string {
  const keyId = SEALED.exec(sealed)?.[1];
  assert(keyId, 'not a sealed field');
  return keyId;
}

export class SealBroken extends Error {
  override name = 'SealBroken';
}

/** Encrypts the client's key under the master key: `nonce ‖ ciphertext ‖ tag`. */
export function wrapKey(masterKey: Buffer, key: ClientKey, random: Pick<Runtime, 'randomBytes'>): Buffer {
  const nonce = random.randomBytes(NONCE_BYTES);
  return Buffer.concat([nonce, encrypt(masterKey, nonce, wrapping(key), key.secret)]);
}

/** Decrypts a wrapped key; throws `SealBroken` if the master key is another one or the row was changed. */
export function unwrapKey(masterKey: Buffer, id: Omit<ClientKey, 'secret'>, wrapped: Buffer): ClientKey {
  const nonce = wrapped.subarray(0, NONCE_BYTES);
  return { ...id, secret: decrypt(masterKey, nonce, wrapping(id), wrapped.subarray(NONCE_BYTES)) };
}

/** Derives a separate key for each purpose by HKDF (RFC 5869), so that only one secret has to be kept. */
export function deriveKey(secret: Buffer, purpose: string): Buffer {
  assert.equal(secret.length, KEY_BYTES);
  return Buffer.from(hkdfSync('sha256', secret, '', `brokerx/${purpose}/v1`, KEY_BYTES));
}

/** HMAC-SHA-256 in hex: finds equal texts, and reveals nothing to anybody without the key. */
export const keyedHash = (key: Buffer, text: string): string =>
  createHmac('sha256', key).update(text).digest('hex');

/** Parses the configured master key; undefined unless it is base64 of exactly 32 bytes. */
export function parseMasterKey(base64: string): Buffer | undefined {
  const key = Buffer.from(base64, 'base64');
  return key.length === KEY_BYTES && key.toString('base64') === base64.trim() ? key : undefined;
}

const associated = (clientId: string, { eventId, field }: SealedPlace) =>
  Buffer.from(`${clientId}|${eventId}|${field}`);
const wrapping = ({ keyId, clientId }: Omit<ClientKey, 'secret'>) => Buffer.from(`${clientId}|${keyId}`);

function encrypt(key: Buffer, nonce: Uint8Array, aad: Buffer, clear: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(aad);
  return Buffer.concat([cipher.update(clear), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, nonce: Uint8Array, aad: Buffer, sealed: Buffer): Buffer {
  const end = sealed.length - TAG_BYTES;
  try {
    const cipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(aad)
      .setAuthTag(sealed.subarray(end));
    return Buffer.concat([cipher.update(sealed.subarray(0, end)), cipher.final()]);
  } catch (cause) {
    throw new SealBroken('the seal does not hold', { cause });
  }
}
