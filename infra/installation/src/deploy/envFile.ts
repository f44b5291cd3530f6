import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

/** Reads the `.env` of a deployment. Functions that change it keep comments and order. */
export function readEnvFile(path: string): Record<string, string> {
  return parseEnv(readFileSync(path, 'utf8')) as Record<string, string>;
}

/** Adds to the text of an earlier version what `fresh` has and it lacks, with the comments; the rest stays as it is. */
export function withMissing(text: string, fresh: string): { text: string; added: string[] } {
  const existing = parseEnv(text);
  const added: string[] = [];
  const lines: string[] = [];
  let comments: string[] = [];
  for (const line of fresh.split('\n')) {
    const name = /^([A-Z][A-Z0-9_]*)=/.exec(line)?.[1];
    if (name !== undefined && !(name in existing)) {
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
  const pattern = new RegExp(`^${name}=.*$`, 'm');
  const changed = pattern.test(text) ? text.replace(pattern, () => line) : `${text.trimEnd()}\n${line}\n`;
  if (changed === text) return;
  replaceEnvFile(path, changed);
}

/** Replaces the file in one step. Only its owner may read it, because it holds secrets. */
export function replaceEnvFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
