import { generateKeyPairSync, randomBytes, randomInt } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What an installation makes up once and keeps to itself, as environment variables of its services. */
export type Secrets = {
  /** 32 bytes, base64: wraps the key of each client's personal data. Losing it is losing them. */
  BROKERX_MASTER_KEY: string;
  /** The first operator's sign-in. */
  OPERATOR_EMAIL: string;
  OPERATOR_PASSWORD: string;
  /** ES256: signs access tokens. */
  AUTH_PRIVATE_JWK: string;
};

/** Reads or makes them. Refuses to make new ones beside data that the old ones protect. */
export function keptSecrets(dataDir: string): Secrets {
  const path = join(dataDir, 'secrets.json');
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Secrets;
  const hasData = existsSync(join(dataDir, 'postgres', 'data')) || existsSync(join(dataDir, 'system-id'));
  if (hasData) {
    throw new Error(
      `${path} is missing, but there is a database: without its master key personal data cannot be read. ` +
        'Put it back from a backup, or move the folder away to begin anew.',
    );
  }
  const secrets = newSecrets();
  writeFileSync(path, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  return secrets;
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

/** Easy to read aloud and type: five groups of four, 100 bits in all; no letter that looks like a digit. */
function passphrase(): string {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';
  const group = () => Array.from({ length: 4 }, () => alphabet[randomInt(alphabet.length)]).join('');
  return Array.from({ length: 5 }, group).join('-');
}
