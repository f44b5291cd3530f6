import { generateKeyPairSync, randomBytes, randomInt } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StartRefused } from '@brokerx/infra/runtime/shutdown.ts';

/** The secrets that an installation generates once and keeps in its folder, as variables of its services. */
export type Secrets = {
  /** 32 bytes in base64, which wrap the key of each client's personal data: if it is lost, so are the data. */
  BROKERX_MASTER_KEY: string;
  /** The first operator's sign-in. */
  OPERATOR_EMAIL: string;
  OPERATOR_PASSWORD: string;
  /** The ES256 key that signs access tokens. */
  AUTH_PRIVATE_JWK: string;
};

/**
 * Reads the secrets, and generates missing ones; existing ones are never replaced. Throws `StartRefused` if there are data but
 * no master key: a new one could not read them.
 */
export function installationSecrets(dataDir: string): Secrets {
  const path = join(dataDir, 'secrets.json');
  const stored = existsSync(path) ? readSecrets(path) : {};
  const hasData = existsSync(join(dataDir, 'postgres', 'data')) || existsSync(join(dataDir, 'system-id'));
  if (hasData && !stored.BROKERX_MASTER_KEY) {
    const trouble = existsSync(path) ? `${path} has no BROKERX_MASTER_KEY` : `${path} is missing`;
    throw new StartRefused(
      `${trouble}, but there is a database: without its master key personal data cannot be read. ` +
        'Put it back from a backup, or move the folder away to begin anew.',
    );
  }
  const secrets = { ...newSecrets(), ...stored };
  if (Object.keys(secrets).length > Object.keys(stored).length) {
    writeFileSync(`${path}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path); // Whole or not at all.
  }
  return secrets;
}

function readSecrets(path: string): Partial<Secrets> {
  try {
    const stored: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof stored === 'object' && stored !== null && !Array.isArray(stored)) return stored;
  } catch (error) {
    // The parser's own message would repeat a part of the file.
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new StartRefused(`${path} is not a JSON object: put it back from a backup.`);
}

export function newSecrets(): Secrets {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomBytes(8).toString('hex');
  return {
    BROKERX_MASTER_KEY: randomBytes(32).toString('base64'),
    OPERATOR_EMAIL: 'operator@brokerx.example',
    OPERATOR_PASSWORD: passphrase(),
    AUTH_PRIVATE_JWK: JSON.stringify({
      ...privateKey.export({ format: 'jwk' }),
      alg: 'ES256',
      use: 'sig',
      kid,
    }),
  };
}

/** A password of 100 bits that is easy to read aloud and to type: five groups of four, no letters that look like digits. */
function passphrase(): string {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';
  const group = () => Array.from({ length: 4 }, () => alphabet[randomInt(alphabet.length)]).join('');
  return Array.from({ length: 5 }, group).join('-');
}
