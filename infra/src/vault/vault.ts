import { type ClientKey, type Erased, keyIdOf, type SealedPlace, unsealField } from './sealing.ts';

/**
 * The key vault port: one key for each client, which seals all of the client's personal fields. Its keys cannot be derived
 * again: no rebuild touches them, and they have their own database and backups. `vault.contract.ts` checks what every
 * adapter promises.
 */
export type Vault = {
  /**
   * Returns the client's key, and makes it if there is none. The key is durable before it is returned, so that no event is
   * ever sealed by a key that a crash loses. Concurrent calls get the same key.
   */
  createKey(clientId: string): Promise<ClientKey | Erased>;
  /**
   * The client's key; undefined if there never was one. That answer is cached: if another process makes the key later, this
   * process learns of it only after up to `KEY_CACHE_TTL_MS`. So ask only for clients whose events are stored.
   */
  key(clientId: string): Promise<ClientKey | Erased | undefined>;
  keyById(keyId: string): Promise<ClientKey | Erased | undefined>;
  /**
   * Destroys the client's key, and so every field that it sealed, for ever. Other processes may use a cached copy for up to
   * `KEY_CACHE_TTL_MS`. Does nothing for a client without a key.
   */
  destroy(clientId: string): Promise<void>;
  close(): Promise<void>;
};

/** Milliseconds for which a destroyed key may live on in another process's cache, at most. */
export const KEY_CACHE_TTL_MS = 60_000;
/** Keys in the cache, of some 300 bytes each: 6 MB. */
export const KEY_CACHE_MAX = 20_000;

/** The field's text, or `ERASED` if its key was destroyed. Throws if the vault never had the key. */
export async function unseal(vault: Vault, place: SealedPlace, sealed: string): Promise<string | Erased> {
  const keyId = keyIdOf(sealed);
  const key = await vault.keyById(keyId);
  if (!key) throw new UnknownKey(`the vault has no key ${keyId}`);
  return isErased(key) ? key : unsealField(key, place, sealed);
}

export const isErased = (value: object | string): value is Erased =>
  typeof value === 'object' && 'erased' in value;

/** A field is sealed by a key that the vault does not have: it is the wrong vault, or was restored from too old a backup. */
export class UnknownKey extends Error {
  override name = 'UnknownKey';
}
