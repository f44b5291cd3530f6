import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realRuntime } from '../runtime/runtime.ts';
import { type ClientKey, ERASED, KEY_BYTES, sealField } from './sealing.ts';
import { isErased, UnknownKey, unseal, type Vault } from './vault.ts';

/** What every adapter of the key vault must do. `open` gives an empty vault; `close` ends and removes it. */
export function vaultContract(
  name: string,
  open: () => Promise<{ vault: Vault; close(): Promise<void> }>,
): void {
  describe(`${name}: key vault`, () => {
    let vault: Vault;
    let close: () => Promise<void>;
    const clientId = randomUUID();
    const place = { eventId: randomUUID(), field: 'email' };
    beforeEach(async () => {
      ({ vault, close } = await open());
    });
    afterEach(() => close());

    const created = async (id: string): Promise<ClientKey> => {
      const key = await vault.createKey(id);
      if (isErased(key)) throw new Error('erased');
      return key;
    };

    test('a client without a key has none', async () => {
      expect(await vault.key(clientId)).toBeUndefined();
      expect(await vault.keyById(randomUUID())).toBeUndefined();
    });

    test('a key is made once, and found by its client and by its id', async () => {
      const key = await created(clientId);
      expect(key).toEqual({ keyId: expect.any(String), clientId, secret: expect.any(Buffer) });
      expect(key.secret.length).toBe(KEY_BYTES);
      expect(await vault.createKey(clientId)).toEqual(key);
      expect(await vault.key(clientId)).toEqual(key);
      expect(await vault.keyById(key.keyId)).toEqual(key);
    });

    test('two that ask for one client at once get the same key', async () => {
      const keys = await Promise.all([1, 2, 3, 4].map(() => created(clientId)));
      expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(1);
      expect(new Set(keys.map(({ secret }) => secret.toString('hex'))).size).toBe(1);
    });

    test('every client has a key of its own', async () => {
      const [one, other] = [await created(clientId), await created(randomUUID())];
      expect(one.keyId).not.toBe(other.keyId);
      expect(one.secret.equals(other.secret)).toBe(false);
    });

    test('a destroyed key is erased for ever, and so is what it sealed; other clients keep theirs', async () => {
      const key = await created(clientId);
      const other = await created(randomUUID());
      const sealed = sealField(key, place, 'ann@example.com', realRuntime);
      expect(await unseal(vault, place, sealed)).toBe('ann@example.com');

      await vault.destroy(clientId);

      expect(await vault.key(clientId)).toEqual(ERASED);
      expect(await vault.keyById(key.keyId)).toEqual(ERASED);
      expect(await vault.createKey(clientId)).toEqual(ERASED);
      expect(await unseal(vault, place, sealed)).toEqual(ERASED);
      expect(await vault.key(other.clientId)).toEqual(other);
    });

    test('destroying twice, or what was never there, changes nothing', async () => {
      await vault.destroy(clientId);
      expect(await vault.key(clientId)).toBeUndefined();
      await created(clientId);
      await vault.destroy(clientId);
      await vault.destroy(clientId);
      expect(await vault.key(clientId)).toEqual(ERASED);
    });

    test('a field sealed by a key that the vault never had is an error, not an erased field', async () => {
      const stranger = { keyId: randomUUID(), clientId, secret: Buffer.alloc(KEY_BYTES, 7) };
      const sealed = sealField(stranger, place, 'ann@example.com', realRuntime);
      await expect(unseal(vault, place, sealed)).rejects.toThrow(UnknownKey);
    });
  });
}
