import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A disk in memory that is small enough to be filled. Only root may mount one. */
export type SmallDisk = {
  folder: string;
  /** Writes a file until nothing more fits. */
  fill(): void;
  /** Deletes the file. */
  free(): void;
  unmount(): void;
};

const BLOCK_BYTES = 4_096;
const CHUNK_BYTES = 1024 * 1024;

/** Mounts a small disk; null if this user may not. */
export function smallDisk(megabytes: number): SmallDisk | null {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-disk-'));
  const options = `size=${megabytes}m,mode=0755`;
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
  if (mount.status !== 0) {
    rmdirSync(folder);
    return null;
  }
  const ballast = join(folder, 'ballast');
  return {
    folder,
    fill() {
      const file = openSync(ballast, 'a');
      const chunk = Buffer.alloc(CHUNK_BYTES, 1);
      for (const bytes of [CHUNK_BYTES, BLOCK_BYTES]) while (canWrite(file, chunk, bytes));
      closeSync(file);
    },
    free: () => rmSync(ballast, { force: true }),
    unmount() {
      // Unmounted lazily, because a process that ends late may still use its folder.
      spawnSync('umount', ['--lazy', folder], { stdio: 'ignore' });
      rmdirSync(folder);
    },
  };
}

function canWrite(file: number, chunk: Buffer, bytes: number): boolean {
  try {
    return writeSync(file, chunk, 0, bytes) === bytes;
  } catch {
    return false;
  }
}
