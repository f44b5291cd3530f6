import { statfsSync } from 'node:fs';
import type { Log } from './log.ts';
import type { Runtime } from './runtime.ts';

/**
 * Watches the free space of the database's disk. A database on a full disk loses nothing, but it stops, even for reads. So
 * commands are refused while there is still room for everything that follows from the accepted ones.
 */
export type DiskSpace = {
  /** Describes how little is left; null while there is enough. */
  shortage(): string | null;
};

const MEBIBYTE = 1024 * 1024;
/**
 * Bytes kept free for what follows from accepted commands: with the most unanswered orders some 20,000 events with their
 * rows in the read models, and the write-ahead log of both.
 */
const DISK_RESERVE_BYTES = 64 * MEBIBYTE;
/** Bytes of a new database before its first event. */
const NEW_DATABASE_BYTES = 64 * MEBIBYTE;
/** Milliseconds between two looks, in which a busy installation writes a few megabytes; a look costs some microseconds. */
const LOOK_EVERY_MS = 250;

/**
 * Files (inodes) kept free beside the bytes: PostgreSQL stops where it cannot make the next file of its log, which has
 * 128 of them at most; tables and temporary files need some more.
 */
const DISK_RESERVE_FILES = 300;
const NEW_DATABASE_FILES = 1_100;

export const wholeDisk = (folder: string): { freeBytes: number; bytes: number; freeFiles: number } => {
  // `bavail` is what an ordinary user may still write: PostgreSQL never runs as root.
  const { bavail, blocks, bsize, files, ffree } = statfsSync(folder);
  // Some file systems, such as Btrfs, have no bound on files and report 0.
  const freeFiles = files === 0 ? Number.POSITIVE_INFINITY : ffree;
  return { freeBytes: bavail * bsize, bytes: blocks * bsize, freeFiles };
};

/** Describes how little is left on the disk that holds `folder`; null if it is enough. */
export function shortageOf(folder: string, reserve: DiskReserve): string | null {
  const { freeBytes, freeFiles } = wholeDisk(folder);
  if (freeBytes < reserve.bytes) {
    return `${mebibytes(freeBytes)} are free, ${mebibytes(reserve.bytes)} are needed`;
  }
  if (freeFiles < reserve.files) {
    return `${freeFiles} more files (inodes) may be made, ${reserve.files} are needed`;
  }
  return null;
}
export type DiskReserve = { bytes: number; files: number };
export const DISK_RESERVE: DiskReserve = { bytes: DISK_RESERVE_BYTES, files: DISK_RESERVE_FILES };
export const NEW_DATABASE_RESERVE: DiskReserve = {
  bytes: DISK_RESERVE_BYTES + NEW_DATABASE_BYTES,
  files: DISK_RESERVE_FILES + NEW_DATABASE_FILES,
};

const mebibytes = (bytes: number): string => `${Math.floor(bytes / MEBIBYTE)} MB`;

/** The disk that holds `folder`. It is looked at only when `shortage` is called. */
export function diskSpace(options: {
  folder: string;
  runtime: Runtime;
  log: Log;
  reserve?: Partial<DiskReserve>;
}): DiskSpace {
  const { folder, runtime, log } = options;
  const reserve = { ...DISK_RESERVE, ...options.reserve };
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let shortage: string | null = null;

  const look = (): string | null => {
    try {
      const short = shortageOf(folder, reserve);
      return short === null ? null : `the disk of the database is full: ${short}`;
    } catch (error) {
      return `the disk of the database does not answer (${error instanceof Error ? error.message : String(error)})`;
    }
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

/** Several disks as one, with the shortage of the first that is short. */
export const disks = (all: readonly DiskSpace[]): DiskSpace => ({
  shortage() {
    for (const disk of all) {
      const shortage = disk.shortage();
      if (shortage !== null) return shortage;
    }
    return null;
  },
});
