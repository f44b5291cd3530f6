import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

/** `.env` of a deployment: read whole, written one variable at a time, comments and order kept. */
export function readEnvFile(path: string): Record<string, string> {
  return parseEnv(readFileSync(path, 'utf8')) as Record<string, string>;
}

export function setInEnvFile(path: string, name: string, value: string): void {
  const text = readFileSync(path, 'utf8');
  const line = `${name}=${value}`;
  const known = new RegExp(`^${name}=.*$`, 'm');
  const changed = known.test(text) ? text.replace(known, () => line) : `${text.trimEnd()}\n${line}\n`;
  if (changed === text) return;
  // Only its owner may read it: it holds secrets.
  writeFileSync(`${path}.new`, changed, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
