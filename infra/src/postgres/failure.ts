/** What stands in the way of a start, and what to do about it. */
export class EmbeddedPostgresError extends Error {
  override name = 'EmbeddedPostgresError';
  /** Somebody killed it while it started: nothing is wrong with it, and the next start may work. */
  readonly wasKilled: boolean;
  /** Its data are gone: no further start can work. */
  readonly isLost: boolean;
  constructor(
    message: string,
    {
      wasKilled = false,
      isLost = false,
      ...options
    }: ErrorOptions & { wasKilled?: boolean; isLost?: boolean } = {},
  ) {
    super(message, options);
    this.wasKilled = wasKilled;
    this.isLost = isLost;
  }
}

/** Where a server's data lies. */
type DataFolder = { data: string };

/** Why a server did not start on its data: known causes in its own words, with what to do; always followed by those. */
export function diagnose(
  home: DataFolder,
  text: string,
  outcome: string,
  wasKilled: boolean,
): EmbeddedPostgresError {
  const advice =
    adviceOf(home, text) ??
    (DAMAGED.test(text)
      ? `the data in ${home.data} is damaged: restore it from a backup, or move it away to begin anew`
      : null);
  return new EmbeddedPostgresError(
    `${advice ?? `PostgreSQL did not start on ${home.data}`} (${outcome}). The last lines of its log:\n${text}`,
    { wasKilled: advice === null && (wasKilled || PART_KILLED.test(text)) },
  );
}

/** Why new data could not be made. There is nothing yet that could be damaged. */
export function diagnoseNew(home: DataFolder, text: string, wasKilled: boolean): EmbeddedPostgresError {
  const advice = adviceOf(home, text);
  if (advice === null && (wasKilled || PART_KILLED.test(text)))
    return new EmbeddedPostgresError('somebody killed the making of the database', { wasKilled: true });
  return new EmbeddedPostgresError(
    `${advice ?? `no database could be made in ${home.data}`} (initdb failed). The last lines of its log:\n${text}`,
  );
}

/** What is wrong with the machine, and what to do; null where its words tell of nothing like it. */
function adviceOf(home: DataFolder, text: string): string | null {
  if (DISK_FULL.test(text)) return diskFull(home);
  if (/Permission denied|Read-only file system/.test(text))
    return `${home.data} is not writable by the user that runs PostgreSQL`;
  if (/Cannot allocate memory|could not map anonymous shared memory/.test(text))
    return 'there is not enough free memory for PostgreSQL (256 MB of buffers)';
  return null;
}

/** That checksums are "enabled" is what every healthy one says. */
const DAMAGED =
  /PANIC|invalid checkpoint|could not (open|read) file|checksum does not match|calculated checksum|page verification failed|bogus data|incorrect/;
/** One of its processes was killed, and it ended for that. */
const PART_KILLED = /was terminated by signal (2|9|15)\b|^caught signal$/m;

/** What others do to it; from the rest of them it died by itself. */
export const isKill = (signal: NodeJS.Signals | null): boolean =>
  signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT' || signal === 'SIGQUIT';

export const DISK_FULL = /No space left on device/;
export const diskFull = ({ data }: DataFolder) => `the disk that holds ${data} is full: free some space`;
