import { type Runtime, realRuntime } from '../runtime/runtime.ts';
import { type ClientKey, ERASED, type Erased, newClientKey } from './sealing.ts';
import type { Vault } from './vault.ts';

/** The key vault in memory, for unit tests and simulation: the same rules, no durability. */
export function memoryVault({ runtime = realRuntime }: { runtime?: Runtime } = {}): Vault {
  const byClient = new Map<string, { keyId: string; key: ClientKey | Erased }>();
  const byId = new Map<string, string>();
  return {
    async createKey(clientId) {
      const known = byClient.get(clientId);
      if (known) return known.key;
      const key = newClientKey(clientId, runtime);
      byClient.set(clientId, { keyId: key.keyId, key });
      byId.set(key.keyId, clientId);
      return key;
    },
    async key(clientId) {
      return byClient.get(clientId)?.key;
    },
    async keyById(keyId) {
      return byClient.get(byId.get(keyId) ?? '')?.key;
    },
    async destroy(clientId) {
      const known = byClient.get(clientId);
      if (known) byClient.set(clientId, { keyId: known.keyId, key: ERASED });
    },
    async close() {},
  };
}
