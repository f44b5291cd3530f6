import { vaultContract } from './vault.contract.ts';
import { memoryVault } from './vault.memory.ts';

vaultContract('memory', async () => {
  const vault = memoryVault();
  return { vault, close: () => vault.close() };
});
