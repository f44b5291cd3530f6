import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A disk of one's own, in memory, small enough to be filled. Only root may mount one: null for others. */
export type SmallDisk = {
  folder: string;
  /** Writes a file until nothing more fits. */
  fill(): void;
  /** Deletes that file. */
  free(): void;
  unmount(): void;
};

const BLOCK_BYTES = 4_096;
const CHUNK_BYTES = 1024 * 1024;

export function smallDisk(megabytes: number): SmallDisk | null {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-disk-'));
  const options = `size=${megabytes}m,mode=0755`;
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
  if (mounted.status !== 0) {
    rmdirSync(folder);
    return null;
  }
  const ballast = join(folder, 'ballast');
  return {
    folder,
    fill() {
      const file = openSync(ballast, 'a');
      const chunk = Buffer.alloc(CHUNK_BYTES, 1);
      for (const bytes of [CHUNK_BYTES, BLOCK_BYTES]) while (writes(file, chunk, bytes));
      closeSync(file);
    },
    free: () => rmSync(ballast, { force: true }),
    unmount() {
      // Lazily: a process that ends late may still look at its folder.
      spawnSync('umount', ['--lazy', folder], { stdio: 'ignore' });
      rmdirSync(folder);
    },
  };
}

function writes(file: number, chunk: Buffer, bytes: number): boolean {
  try {
    return writeSync(file, chunk, 0, bytes) === bytes;
  } catch {
    return false;
  }
}
