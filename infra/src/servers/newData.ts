import { type ChildProcess, spawn } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { diagnoseNew, EmbeddedPostgresError, isKill } from '../postgres/failure.ts';
import type { Log } from '../runtime/log.ts';
import type { PostgresHome } from './postgresHome.ts';
import { serverEnvironment } from './postmaster.ts';

/** Lines of initdb's output that an error message repeats. */
const ERROR_LINES_MAX = 15;
/** The names of data folders that are not complete yet begin with this. */
const PARTIAL_PREFIX = 'data.partial';

export type NewData = {
  superuser: string;
  password: string;
  log: Log;
  /** False for throw-away data: it is not forced to disk. */
  syncNewData?: boolean;
  signal?: AbortSignal | undefined;
};

/** Creates the data under another name and then renames the folder, so that an interruption leaves no incomplete one. */
export async function createData(home: PostgresHome, options: NewData): Promise<void> {
  options.log.info({ folder: home.data }, 'creating the database');
  removePartial(home);
  // A name of this process: an initdb whose parent was killed may still run, and ends because its folder is gone.
  const partialFolder = join(home.folder, `${PARTIAL_PREFIX}.${process.pid}`);
  const passwordFile = join(home.folder, 'initdb-password');
  mkdirSync(partialFolder, { mode: 0o700 });
  writeFileSync(passwordFile, `${options.password}\n`, { mode: 0o600 });
  if (home.runAs)
    for (const path of [partialFolder, passwordFile]) chownSync(path, home.runAs.uid, home.runAs.gid);
  try {
    await initdb(home, { ...options, partial: partialFolder, passwordFile });
    renameSync(partialFolder, home.data);
  } finally {
    rmSync(passwordFile, { force: true });
    removePartial(home);
  }
}

/** Throws if this version of PostgreSQL cannot open the data folder. */
export function assertDataVersion(data: string, major: string): void {
  const versionFile = join(data, 'PG_VERSION');
  const version = existsSync(versionFile) ? readFileSync(versionFile, 'utf8').trim() : null;
  if (version === major) return;
  const defect =
    version === null
      ? `has no PG_VERSION (it holds ${readdirSync(data).length} entries)`
      : `is of PostgreSQL ${version}`;
  throw new EmbeddedPostgresError(
    `${data} is not a data folder of PostgreSQL ${major}: it ${defect}. Restore it from a backup, or move it away to begin anew.`,
  );
}

async function initdb(
  home: PostgresHome,
  {
    superuser,
    syncNewData = true,
    signal,
    partial,
    passwordFile,
  }: NewData & Record<'partial' | 'passwordFile', string>,
): Promise<void> {
  if (signal?.aborted) throw interrupted();
  const flags = ['-D', partial, '-U', superuser, '--pwfile', passwordFile];
  flags.push('--auth=scram-sha-256', '--encoding=UTF8');
  // Built-in collation: the order of text, and so of indexes, never changes with the system's libraries.
  flags.push('--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-instructions');
  if (!syncNewData) flags.push('--no-sync');
  // A group of its own: Ctrl-C in the terminal reaches the supervisor alone, which ends this one and its children.
  const child = spawn(join(home.bin, 'initdb'), flags, {
    ...home.runAs,
    cwd: home.folder,
    env: serverEnvironment,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = () => killGroup(child);
  signal?.addEventListener('abort', kill, { once: true });
  const { code, killedBy, text } = await exitOf(child);
  signal?.removeEventListener('abort', kill);
  if (code === 0) return;
  if (signal?.aborted) throw interrupted();
  throw diagnoseNew(home, text.trim().split('\n').slice(-ERROR_LINES_MAX).join('\n'), isKill(killedBy));
}

function exitOf(child: ChildProcess) {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (text += String(chunk)));
  return new Promise<{ code: number | null; killedBy: NodeJS.Signals | null; text: string }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, killedBy: null, text: `${text}${error}` }));
    // Emitted when its children have ended, too, which share its standard output: nothing writes to the folder any more.
    child.once('close', (code, killedBy) => resolve({ code, killedBy, text }));
  });
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // It has ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function removePartial(home: PostgresHome): void {
  for (const name of readdirSync(home.folder)) {
    if (!name.startsWith(PARTIAL_PREFIX)) continue;
    rmSync(join(home.folder, name), { recursive: true, force: true, maxRetries: REMOVE_RETRIES });
  }
}
/** Repetitions of a removal, because an initdb that was killed a moment ago may still be writing. */
const REMOVE_RETRIES = 5;

const interrupted = () =>
  new EmbeddedPostgresError('the making of the database was interrupted', { wasKilled: true });
