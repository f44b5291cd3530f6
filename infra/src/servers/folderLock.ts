import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { identify, isRunning, ownIdentity, type ProcessIdentity } from './processes.ts';

/**
 * A lock file that names the process holding it. It needs no cleaning up: a lock whose process has ended (killed, or the machine
 * rebooted) is taken over.
 */
export type FolderLock = { release(): void };

export class LockHeld extends Error {
  override name = 'LockHeld';
  readonly holderPid: number;
  constructor(path: string, holderPid: number) {
    super(`${path} is held by process ${holderPid}`);
    this.holderPid = holderPid;
  }
}

/** Acquires the lock. Throws `LockHeld` if a running process holds it. */
export function acquireLock(path: string): FolderLock {
  const identity = ownIdentity();
  const ownFile = `${path}.${identity.pid}`;
  writeFileSync(ownFile, JSON.stringify(identity), { mode: 0o600 });
  try {
    while (!tryLink(ownFile, path)) {
      const holder = read(path);
      if (holder && isRunning(holder)) throw new LockHeld(path, holder.pid);
      moveStaleAside(path, holder);
    }
  } finally {
    rmSync(ownFile, { force: true });
  }
  return {
    release: () => {
      if (read(path)?.pid === identity.pid) rmSync(path, { force: true });
    },
  };
}

/** Links the own file to the lock's name. That is atomic and fails if the name is taken: of two processes one gets the lock. */
function tryLink(ownFile: string, path: string): boolean {
  try {
    linkSync(ownFile, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves a lock away whose process has ended. If another process has taken it over in between, its lock is put back. */
function moveStaleAside(path: string, stale: ProcessIdentity | null): void {
  const asidePath = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, asidePath);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = read(asidePath);
  if (moved && moved.startedAt !== stale?.startedAt && identify(moved.pid)) tryLink(asidePath, path);
  rmSync(asidePath, { force: true });
}

/** The lock's holder; null if the file is absent or incomplete, as after a loss of power. */
function read(path: string): ProcessIdentity | null {
  try {
    const { pid, startedAt } = JSON.parse(readFileSync(path, 'utf8')) as Partial<ProcessIdentity>;
    return typeof pid === 'number' && typeof startedAt === 'string' ? { pid, startedAt } : null;
  } catch {
    return null;
  }
}
