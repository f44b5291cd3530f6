import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

/** `.env` of a deployment: read whole, written one variable at a time, comments and order kept. */
export function readEnvFile(path: string): Record<string, string> {
  return parseEnv(readFileSync(path, 'utf8')) as Record<string, string>;
}

/** What is missing in a file of an earlier version, as `fresh` has it with its comments; what is there stays as it is. */
export function withMissing(text: string, fresh: string): { text: string; added: string[] } {
  const known = parseEnv(text);
  const added: string[] = [];
  const lines: string[] = [];
  let comments: string[] = [];
  for (const line of fresh.split('\n')) {
    const name = /^([A-Z][A-Z0-9_]*)=/.exec(line)?.[1];
    if (name !== undefined && !(name in known)) {
      added.push(name);
      lines.push(...comments, line);
    }
    comments = line.startsWith('#') && !line.startsWith('# ---') ? [...comments, line] : [];
  }
  return { text: added.length === 0 ? text : `${text.trimEnd()}\n\n${lines.join('\n')}\n`, added };
}

export function setInEnvFile(path: string, name: string, value: string): void {
  const text = readFileSync(path, 'utf8');
  const line = `${name}=${value}`;
  const known = new RegExp(`^${name}=.*$`, 'm');
  const changed = known.test(text) ? text.replace(known, () => line) : `${text.trimEnd()}\n${line}\n`;
  if (changed === text) return;
  replaceEnvFile(path, changed);
}

/** In one step; only its owner may read it: it holds secrets. */
export function replaceEnvFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
