import { statfsSync } from 'node:fs';
import type { Log } from './log.ts';
import type { Runtime } from './runtime.ts';

/**
 * What is left on a disk. A database that meets the end of its disk loses nothing, but it stops, reads included. So
 * commands are refused while there is still room for what follows from those that were taken.
 */
export type DiskSpace = {
  /** How little is left, as words; null while there is enough. */
  shortage(): string | null;
};

const MEBIBYTE = 1024 * 1024;
/**
 * Kept free for what follows from accepted commands: at the bound of unanswered orders some 20,000 events with their
 * rows in the read models, and the log of both.
 */
export const DISK_RESERVE_BYTES = 64 * MEBIBYTE;
/** A new database before its first event. */
export const NEW_DATABASE_BYTES = 64 * MEBIBYTE;
/** Asking costs some microseconds; in this time a busy installation writes a few megabytes. */
const LOOK_EVERY_MS = 250;

export const wholeDisk = (folder: string): { freeBytes: number; bytes: number } => {
  // What an ordinary user may still write: PostgreSQL is one, also under root.
  const { bavail, blocks, bsize } = statfsSync(folder);
  return { freeBytes: bavail * bsize, bytes: blocks * bsize };
};

export const mebibytes = (bytes: number): string => `${Math.floor(bytes / MEBIBYTE)} MB`;

/** Watches the disk that holds `folder`, whenever somebody asks. */
export function diskSpace(options: {
  folder: string;
  runtime: Runtime;
  log: Log;
  reserveBytes?: number;
}): DiskSpace {
  const { folder, runtime, log, reserveBytes = DISK_RESERVE_BYTES } = options;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let shortage: string | null = null;

  const look = (): string | null => {
    let freeBytes = 0;
    try {
      ({ freeBytes } = wholeDisk(folder));
    } catch (error) {
      return `the disk of the database does not answer (${error instanceof Error ? error.message : String(error)})`;
    }
    if (freeBytes >= reserveBytes) return null;
    return `the disk of the database is full: ${mebibytes(freeBytes)} are free, ${mebibytes(reserveBytes)} are needed`;
  };
  return {
    shortage() {
      if (runtime.monotonicMs() - lookedAtMs < LOOK_EVERY_MS) return shortage;
      lookedAtMs = runtime.monotonicMs();
      const before = shortage;
      shortage = look();
      if (shortage !== null && before === null) {
        log.error({ folder }, `${shortage}: commands are refused until there is space`);
      }
      if (shortage === null && before !== null) {
        log.info({ folder }, 'there is space on the disk of the database again: commands are taken');
      }
      return shortage;
    },
  };
}
