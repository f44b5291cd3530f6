import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative, resolve, sep } from 'node:path';
import { promisify } from 'node:util';

/** A clone as a newcomer has it: nothing is installed, and the Node is the one that was there. */
export const ROOT = resolve(import.meta.dirname, '../..');
/** An installation from a warm store, on a machine that is busy. */
export const INSTALL_MS = 300_000;

export const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

/** The programs of before the installation: a test run has those of node_modules in front of them. */
const PATH = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter);
const { HOME, npm_config_registry } = process.env;
export const newcomersEnvironment = {
  PATH,
  HOME,
  ...(npm_config_registry === undefined ? {} : { npm_config_registry }),
};

export type FreshClone = {
  folder: string;
  /** What a script says of itself. */
  help(script: string): Promise<{ stdout: string; stderr: string }>;
  remove(): void;
};

export function freshClone(): FreshClone {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-clone-'));
  const left = new Set(['node_modules', '.git', '.brokerx']);
  const isPartOfIt = (path: string) =>
    !relative(ROOT, path)
      .split(sep)
      .some((part) => left.has(part));
  cpSync(ROOT, folder, { recursive: true, filter: isPartOfIt });
  return {
    folder,
    help: (script) =>
      promisify(execFile)('npm', ['run', '--silent', script, '--', '--help'], {
        cwd: folder,
        env: newcomersEnvironment,
        maxBuffer: 2 ** 24,
      }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
