import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../runtime/log.ts';
import type { PostgresHome } from './postgresHome.ts';
import { commandLine, identify, type ProcessIdentity, stopProcess } from './processes.ts';

/** One PostgreSQL server process: launched, watched, stopped; or found left over from a parent that was killed. */
export type Postmaster = {
  pid: number;
  /** Settles when the process ends, asked or not; `lines` are the last of its log. */
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null; lines: string[] }>;
  /** The last lines of its log, oldest first. */
  lines(): string[];
};

/** How much of the server's log an error message repeats. */
const LOG_LINES_KEPT = 15;
/** A fast shutdown ends sessions and writes a checkpoint: up to 256 MB of dirty pages on a slow disk. */
const FAST_STOP_MS = 20_000;
/** An immediate shutdown only ends processes. */
const QUICK_STOP_MS = 5_000;

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
  const kept: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    kept.push(line);
    if (kept.length > LOG_LINES_KEPT) kept.shift();
    relay(line, log);
  });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null; lines: string[] }>(
    (resolve) => {
      child.once('error', (error) => {
        kept.push(String(error));
        resolve({ code: null, signal: null, lines: kept });
      });
      child.once('close', (code, signal) => resolve({ code, signal, lines: kept }));
    },
  );
  return { pid: child.pid ?? 0, exited, lines: () => [...kept] };
}

/** The server inherits nothing: PGDATA, PGPORT and the like of the user's own must not lead it astray. */
export const serverEnvironment: NodeJS.ProcessEnv = {
  PATH: '/usr/bin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
};

/** Fast shutdown, then immediate, then by force. Whatever it takes, committed data stays. */
export async function stopPostmaster(found: ProcessIdentity, log: Log): Promise<void> {
  if (await stopProcess(found, 'SIGINT', FAST_STOP_MS)) return;
  log.warn(
    { pid: found.pid },
    `PostgreSQL did not stop within ${FAST_STOP_MS} ms; it recovers at the next start`,
  );
  if (await stopProcess(found, 'SIGQUIT', QUICK_STOP_MS)) return;
  if (await stopProcess(found, 'SIGKILL', QUICK_STOP_MS)) return;
  throw new Error(`PostgreSQL (process ${found.pid}) cannot be stopped`);
}

/**
 * Stops a server that a killed parent left running on this data folder. A `postmaster.pid` whose process is
 * gone, or is now a stranger's, is removed: the server would take a stranger of the same user for itself.
 */
export async function stopOrphan(home: PostgresHome, log: Log): Promise<void> {
  const recorded = readPidFile(home.data);
  if (!recorded) return;
  const found = identify(recorded.pid);
  const command = found ? commandLine(found.pid) : '';
  if (!found || !command.includes('postgres') || !command.includes(home.data)) {
    rmSync(join(home.data, 'postmaster.pid'), { force: true });
    return;
  }
  log.info({ pid: found.pid }, 'stopping a PostgreSQL that a former run left behind');
  await stopPostmaster(found, log);
}

/** How often a starting server is asked whether it is ready. */
const READY_POLL_MS = 20;
/** Time between lines that say that recovery is still going on. */
const PATIENCE_MS = 10_000;

/** True when it accepts connections, false when it ended instead. Recovery after a crash may take minutes. */
export async function becomesReady(server: Postmaster, home: PostgresHome, log: Log): Promise<boolean> {
  let ended = false;
  void server.exited.then(() => {
    ended = true;
  });
  for (let waitedMs = 0; !ended; waitedMs += READY_POLL_MS) {
    const state = readPidFile(home.data);
    if (state?.pid === server.pid && state.ready) return true;
    if (waitedMs > 0 && waitedMs % PATIENCE_MS === 0) log.info('PostgreSQL is still recovering');
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

/** A full disk is told by many lines at once. */
const FULL_TOLD_EVERY_MS = 30_000;
let fullToldMs = Number.NEGATIVE_INFINITY;

/** What a client caused is told to that client, and why a start failed is told by the start: here both are details. */
function relay(line: string, log: Log): void {
  const isFull = /No space left on device/.test(line) && performance.now() - fullToldMs > FULL_TOLD_EVERY_MS;
  if (isFull) {
    fullToldMs = performance.now();
    log.error(`the disk of the database is full: free some space (${line})`);
  } else if (/\bPANIC:|terminated by signal/.test(line)) log.error(line);
  else log.debug(line);
}
