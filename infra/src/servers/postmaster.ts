import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../runtime/log.ts';
import type { PostgresHome } from './postgresHome.ts';
import { commandLine, identify, type ProcessIdentity, stopProcess } from './processes.ts';

/** One PostgreSQL server process, which this process has launched. */
export type Postmaster = {
  pid: number;
  /** Resolves when the process has ended, for whatever reason; `lines` are the last of its log. */
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null; lines: string[] }>;
  /** The last lines of its log, oldest first. */
  lines(): string[];
};

/** Lines of the server's log that an error message repeats. */
const LOG_LINES_MAX = 15;
/** Milliseconds for a fast shutdown, which ends sessions and writes a checkpoint: up to 256 MB on a slow disk. */
const FAST_STOP_MS = 20_000;
/** Milliseconds for an immediate shutdown, which only ends processes. */
const IMMEDIATE_STOP_MS = 5_000;

export function launch(
  home: PostgresHome,
  settings: Readonly<Record<string, string | number>>,
  log: Log,
): Postmaster {
  const args = ['-D', home.data];
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
  // A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which stops the server last.
  const child = spawn(join(home.bin, 'postgres'), args, {
    ...home.runAs,
    cwd: home.folder,
    env: serverEnvironment,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lastLines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lastLines.push(line);
    if (lastLines.length > LOG_LINES_MAX) lastLines.shift();
    logLine(line, log);
  });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null; lines: string[] }>(
    (resolve) => {
      child.once('error', (error) => {
        lastLines.push(String(error));
        resolve({ code: null, signal: null, lines: lastLines });
      });
      child.once('close', (code, signal) => resolve({ code, signal, lines: lastLines }));
    },
  );
  return { pid: child.pid ?? 0, exited, lines: () => [...lastLines] };
}

/** The whole environment of the server: it must not inherit the user's own PGDATA, PGPORT and the like. */
export const serverEnvironment: NodeJS.ProcessEnv = {
  PATH: '/usr/bin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
};

/** Stops a server: by a fast shutdown, then an immediate one, then by force. Committed data survive all three. */
export async function stopPostmaster(identity: ProcessIdentity, log: Log): Promise<void> {
  if (await stopProcess(identity, 'SIGINT', FAST_STOP_MS)) return;
  log.warn(
    { pid: identity.pid },
    `PostgreSQL did not stop within ${FAST_STOP_MS} ms; it recovers at the next start`,
  );
  if (await stopProcess(identity, 'SIGQUIT', IMMEDIATE_STOP_MS)) return;
  if (await stopProcess(identity, 'SIGKILL', IMMEDIATE_STOP_MS)) return;
  throw new Error(`PostgreSQL (process ${identity.pid}) cannot be stopped`);
}

/**
 * Stops a server that a killed parent left running on this data folder. Removes `postmaster.pid` if its process is gone or is
 * another program now, which the new server would take for a running server.
 */
export async function stopOrphan(home: PostgresHome, log: Log): Promise<void> {
  const recorded = readPidFile(home.data);
  if (!recorded) return;
  const identity = identify(recorded.pid);
  const command = identity ? commandLine(identity.pid) : '';
  if (!identity || !command.includes('postgres') || !command.includes(home.data)) {
    rmSync(join(home.data, 'postmaster.pid'), { force: true });
    return;
  }
  log.info({ pid: identity.pid }, 'stopping a PostgreSQL that a former run left behind');
  await stopPostmaster(identity, log);
}

/** Milliseconds between two checks whether a starting server is ready. */
const READY_POLL_MS = 20;
/** Milliseconds between two log lines about a recovery that goes on. */
const RECOVERY_LOG_MS = 10_000;

/** Waits until the server accepts connections. Returns false if it ended instead. Recovery after a crash may take minutes. */
export async function waitUntilReady(server: Postmaster, home: PostgresHome, log: Log): Promise<boolean> {
  let hasEnded = false;
  void server.exited.then(() => {
    hasEnded = true;
  });
  for (let waitedMs = 0; !hasEnded; waitedMs += READY_POLL_MS) {
    const state = readPidFile(home.data);
    if (state?.pid === server.pid && state.ready) return true;
    if (waitedMs > 0 && waitedMs % RECOVERY_LOG_MS === 0) log.info('PostgreSQL is still recovering');
    await delay(READY_POLL_MS);
  }
  return false;
}

const PID_LINE = 0;
const STATUS_LINE = 7;

function readPidFile(data: string): { pid: number; ready: boolean } | null {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    return { pid: Number(lines[PID_LINE]), ready: lines[STATUS_LINE]?.trim() === 'ready' };
  } catch {
    return null;
  }
}

/** Milliseconds between two log lines about a full disk, of which the server writes many at once. */
const DISK_FULL_LOG_MS = 30_000;
let diskFullLoggedMs = Number.NEGATIVE_INFINITY;

/**
 * Logs a line of the server, mostly as a detail: a client gets the errors that it causes, and the error of a failed start repeats
 * the last lines.
 */
function logLine(line: string, log: Log): void {
  const isDiskFull =
    /No space left on device/.test(line) && performance.now() - diskFullLoggedMs > DISK_FULL_LOG_MS;
  if (isDiskFull) {
    diskFullLoggedMs = performance.now();
    log.error(`the disk of the database is full: free some space (${line})`);
  } else if (/\bPANIC:|terminated by signal/.test(line)) log.error(line);
  else log.debug(line);
}
