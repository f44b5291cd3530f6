import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { identify, isRunning, type ProcessIdentity, self } from './processes.ts';

/**
 * A lock file that names the process holding it. It needs no clean-up to be safe: a lock whose process has ended
 * (killed, machine rebooted) is taken over.
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

/** Throws `LockHeld` while another process that is alive has it. */
export function acquireLock(path: string): FolderLock {
  const own = self();
  const mine = `${path}.${own.pid}`;
  writeFileSync(mine, JSON.stringify(own), { mode: 0o600 });
  try {
    while (!linked(mine, path)) {
      const holder = read(path);
      if (holder && isRunning(holder)) throw new LockHeld(path, holder.pid);
      moveStaleAside(path, holder);
    }
  } finally {
    rmSync(mine, { force: true });
  }
  return {
    release: () => {
      if (read(path)?.pid === own.pid) rmSync(path, { force: true });
    },
  };
}

/** Linking is atomic and fails when the name is taken: of two starters exactly one gets the lock. */
function linked(mine: string, path: string): boolean {
  try {
    linkSync(mine, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Between our look and our move another starter may have taken over: then its lock is put back. */
function moveStaleAside(path: string, stale: ProcessIdentity | null): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = read(aside);
  if (moved && moved.startedAt !== stale?.startedAt && identify(moved.pid)) linked(aside, path);
  rmSync(aside, { force: true });
}

/** Null when the file is absent or not a whole lock (a machine that lost power while writing it). */
function read(path: string): ProcessIdentity | null {
  try {
    const { pid, startedAt } = JSON.parse(readFileSync(path, 'utf8')) as Partial<ProcessIdentity>;
    return typeof pid === 'number' && typeof startedAt === 'string' ? { pid, startedAt } : null;
  } catch {
    return null;
  }
}
