import { type ClientKey, type Erased, keyIdOf, type SealedPlace, unsealField } from './sealing.ts';

/**
 * The key vault port: one key a client, from which all of the client's personal fields are sealed. It is precious:
 * not derived from anything, never touched by a rebuild, with a place and backups of its own. What every adapter
 * promises is checked by `vault.contract.ts`.
 */
export type Vault = {
  /**
   * The client's key, made when there is none; durable before it is returned, so that no event is ever sealed by
   * a key that a crash takes away. Two that ask at once get the same key.
   */
  createKey(clientId: string): Promise<ClientKey | Erased>;
  /**
   * Undefined when the client never had a key. Whoever asks for it before it is made by another process may be told so
   * for `KEY_CACHE_TTL_MS` more: ask for the keys of those that are on record.
   */
  key(clientId: string): Promise<ClientKey | Erased | undefined>;
  keyById(keyId: string): Promise<ClientKey | Erased | undefined>;
  /**
   * Destroys the client's key for ever, and with it every field it sealed. Other processes may use a cached copy
   * for `KEY_CACHE_TTL_MS` more. Without effect on a client that has no key.
   */
  destroy(clientId: string): Promise<void>;
  close(): Promise<void>;
};

/** A destroyed key may live on in another process's cache for this long, and no longer. */
export const KEY_CACHE_TTL_MS = 60_000;
/** Some 300 bytes each: 6 MB. */
export const KEY_CACHE_MAX = 20_000;

/** The field's text, or `ERASED` when its key was destroyed. Throws when the vault never had the key. */
export async function unseal(vault: Vault, place: SealedPlace, sealed: string): Promise<string | Erased> {
  const keyId = keyIdOf(sealed);
  const key = await vault.keyById(keyId);
  if (!key) throw new UnknownKey(`the vault has no key ${keyId}`);
  return isErased(key) ? key : unsealField(key, place, sealed);
}

export const isErased = (value: object | string): value is Erased =>
  typeof value === 'object' && 'erased' in value;

/** Personal data is sealed by a key that this vault does not hold: the wrong vault, or one restored too old. */
export class UnknownKey extends Error {
  override name = 'UnknownKey';
}
