import type { PostgresHome } from '../servers/postgresHome.ts';

/** What stands in the way of a start, and what to do about it. */
export class EmbeddedPostgresError extends Error {
  override name = 'EmbeddedPostgresError';
  /** Somebody killed it while it started: nothing is wrong with it, and the next start may work. */
  readonly wasKilled: boolean;
  constructor(
    message: string,
    { wasKilled = false, ...options }: ErrorOptions & { wasKilled?: boolean } = {},
  ) {
    super(message, options);
    this.wasKilled = wasKilled;
  }
}

/** Known causes in the server's own words, with what to do; always followed by those words. */
export function diagnose(
  home: PostgresHome,
  text: string,
  outcome: string,
  wasKilled: boolean,
): EmbeddedPostgresError {
  const advice = DISK_FULL.test(text)
    ? diskFull(home)
    : /Permission denied|Read-only file system/.test(text)
      ? `${home.data} is not writable by the user that runs PostgreSQL`
      : /Cannot allocate memory|could not map anonymous shared memory/.test(text)
        ? 'there is not enough free memory for PostgreSQL (256 MB of buffers)'
        : /PANIC|invalid checkpoint|could not (open|read) file|checksum|bogus data|incorrect/.test(text)
          ? `the data in ${home.data} is damaged: restore it from a backup, or move it away to begin anew`
          : null;
  return new EmbeddedPostgresError(
    `${advice ?? `PostgreSQL did not start on ${home.data}`} (${outcome}). The last lines of its log:\n${text}`,
    {
      // Or one of its processes was, and it ended for that.
      wasKilled: advice === null && (wasKilled || /was terminated by signal (9|15)\b/.test(text)),
    },
  );
}

/** What others do to it; from the rest of them it died by itself. */
export const isKill = (signal: NodeJS.Signals | null): boolean =>
  signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT' || signal === 'SIGQUIT';

export const DISK_FULL = /No space left on device/;
export const diskFull = ({ data }: PostgresHome) => `the disk that holds ${data} is full: free some space`;
