import { generateKeyPairSync, randomBytes, randomInt } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StartRefused } from '@brokerx/infra/runtime/shutdown.ts';

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

/**
 * Reads or makes them. What an earlier version did not know is added, what is there is never replaced; and nothing is
 * made up beside data that a lost one protects.
 */
export function keptSecrets(dataDir: string): Secrets {
  const path = join(dataDir, 'secrets.json');
  const kept = existsSync(path) ? readSecrets(path) : {};
  const hasData = existsSync(join(dataDir, 'postgres', 'data')) || existsSync(join(dataDir, 'system-id'));
  if (hasData && !kept.BROKERX_MASTER_KEY) {
    const what = existsSync(path) ? `${path} has no BROKERX_MASTER_KEY` : `${path} is missing`;
    throw new StartRefused(
      `${what}, but there is a database: without its master key personal data cannot be read. ` +
        'Put it back from a backup, or move the folder away to begin anew.',
    );
  }
  const secrets = { ...newSecrets(), ...kept };
  if (Object.keys(secrets).length > Object.keys(kept).length) {
    writeFileSync(`${path}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path); // Whole or not at all.
  }
  return secrets;
}

function readSecrets(path: string): Partial<Secrets> {
  try {
    const kept: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof kept === 'object' && kept !== null && !Array.isArray(kept)) return kept;
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

/** Easy to read aloud and type: five groups of four, 100 bits in all; no letter that looks like a digit. */
function passphrase(): string {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';
  const group = () => Array.from({ length: 4 }, () => alphabet[randomInt(alphabet.length)]).join('');
  return Array.from({ length: 5 }, group).join('-');
}
