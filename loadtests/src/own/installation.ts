import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '@brokerx/client';
import { z } from 'zod';
import { plainEnvironment, REPOSITORY } from '../config.ts';
import { type Counts, countFlags } from './counts.ts';

/** An installation of BrokerX for one tool: started in a temporary folder on free ports, and removed afterwards. */
export type Installation = {
  status: Status;
  dataDir: string;
  /** The current pids. A killed process has another one after its restart. */
  pids(): Record<string, number>;
  /**
   * Kills the services, runs `work` while only the database is up, and starts everything again. So it is for installations
   * that nobody has used yet, or that must survive it.
   */
  withDatabaseAlone(work: () => Promise<void>): Promise<{ startMs: number }>;
  /** Stops the installation and starts it again, on other ports. */
  restart(): Promise<{ startMs: number }>;
  stop(): Promise<void>;
};

const Status = z.object({
  commandUrl: z.url(),
  queryUrl: z.url(),
  commandUrls: z.array(z.url()),
  queryUrls: z.array(z.url()),
  databaseUrl: z.string(),
  operatorEmail: z.string(),
  operatorPassword: z.string(),
  dataDir: z.string(),
  pids: z.record(z.string(), z.int()),
});
export type Status = z.infer<typeof Status>;
const RunFile = z.object({ pids: z.record(z.string(), z.int()) });

export const BROKERX = join(REPOSITORY, 'infra/installation/src/cli/main.ts');
/** The name of the database in `run.json`. Its pid is that of the postmaster. */
export const DATABASE_PROCESS = 'postgres';
/** The first start makes a database. A start after a crash redoes the database's log and recovers every book. */
const START_TIMEOUT_MS = 180_000;
/** Services finish what is in flight within 10 s each, PostgreSQL writes a checkpoint. */
const STOP_TIMEOUT_MS = 60_000;
const LOG_TAIL_LINES = 30;

/** Raises the limit of mails for one address, because all clients of a load share one. */
const ONE_MACHINE = { PASSCODE_MAILS_PER_ADDRESS_PER_HOUR_MAX: '100000' };

export type InstallationOptions = {
  /** Whether simulated traders trade beside the load. */
  traders?: boolean;
  /** The number of processes of each kind. Defaults to one. */
  counts?: Counts;
  /** Further environment variables. */
  env?: Record<string, string>;
  /** Fills the folder before the first start, for example with data of an older version. */
  fill?: (dataDir: string) => void;
  /** The folder in which its folder is made. Defaults to the system's folder of temporary files. */
  parent?: string;
  /** Whether the folder (logs, data) is kept afterwards. */
  keep?: boolean;
};

export async function startInstallation(options: InstallationOptions = {}): Promise<Installation> {
  const dataDir = mkdtempSync(join(options.parent ?? tmpdir(), 'brokerx-load-'));
  let running: Running;
  try {
    options.fill?.(dataDir);
    running = await launch(dataDir, options);
  } catch (error) {
    if (!options.keep) rmSync(dataDir, { recursive: true, force: true });
    throw error;
  }
  // Signals are released at the end, because a second one, such as the echo of a Ctrl-C, must not interrupt the stop.
  const stop = async () => {
    await end(running);
    if (!options.keep) rmSync(dataDir, { recursive: true, force: true });
    running.watcher.kill('SIGKILL');
    releaseSignals();
  };
  const restart = async () => {
    await end(running);
    running.watcher.kill('SIGKILL');
    const begunMs = performance.now();
    running = await launch(dataDir, options);
    return { startMs: performance.now() - begunMs };
  };
  const releaseSignals = onInterruption(stop);
  return {
    get status() {
      return running.status;
    },
    dataDir,
    pids: () => currentPids(running.status),
    withDatabaseAlone: async (work) => {
      const { child, status } = running;
      // A stopped supervisor cannot restart its services, and the database works without it.
      child.kill('SIGSTOP');
      try {
        for (const [name, pid] of Object.entries(currentPids(status))) {
          if (name !== DATABASE_PROCESS) process.kill(pid, 'SIGKILL');
        }
        await work();
      } finally {
        child.kill('SIGTERM'); // It takes effect when the supervisor continues, before it restarts anything.
        child.kill('SIGCONT');
      }
      return restart();
    },
    restart,
    stop,
  };
}

const currentPids = ({ dataDir }: Status): Record<string, number> =>
  RunFile.parse(JSON.parse(readFileSync(join(dataDir, 'run.json'), 'utf8'))).pids;

type Running = { child: ChildProcess; watcher: ChildProcess; status: Status };

/**
 * Starts a shell that stops the installation and removes its folder if this process ends without having done so, because a
 * killed process cannot clean up. The shell waits for the end of its input, which comes with the end of this process.
 */
function cleanUpShell(pid: number | undefined, folder: string): ChildProcess {
  const shell = spawn('/bin/sh', ['-c', CLEAN_UP, 'brokerx-clean-up', String(pid ?? ''), folder], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.unref();
  return shell;
}
// Waits at most a minute (600 × 0.1 s) for the installation to stop.
const CLEAN_UP = `
trap '' INT TERM HUP
cat > /dev/null
kill -TERM "$1" 2> /dev/null
tries=0
while kill -0 "$1" 2> /dev/null && [ "$tries" -lt 600 ]; do sleep 0.1; tries=$((tries + 1)); done
if [ -n "$2" ]; then rm -rf "$2"; fi
`;

async function launch(dataDir: string, options: InstallationOptions): Promise<Running> {
  const logFile = join(dataDir, 'brokerx.log');
  const log = openSync(logFile, 'a');
  const child = spawn(
    process.execPath,
    [
      BROKERX,
      'start',
      '--json-status',
      '--ports',
      'free',
      '--data',
      dataDir,
      ...(options.traders ? [] : ['--no-traders']),
      ...countFlags(options.counts),
    ],
    {
      cwd: REPOSITORY,
      stdio: ['ignore', 'pipe', log],
      env: { ...plainEnvironment(), ...ONE_MACHINE, ...options.env },
    },
  );
  closeSync(log);
  const watcher = cleanUpShell(child.pid, options.keep ? '' : dataDir);
  try {
    const status = await statusOf(child);
    return { child, watcher, status };
  } catch (cause) {
    await end({ child });
    watcher.kill('SIGKILL');
    const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
    throw new Error(`brokerx start did not come up: ${(cause as Error).message}\n${tail}`, { cause });
  }
}

/** Reads the status that `brokerx start` prints as its first line once it is ready. */
function statusOf(child: ChildProcess): Promise<Status> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`not ready within ${START_TIMEOUT_MS} ms`)),
      START_TIMEOUT_MS,
    );
    const finish = (act: () => void) => {
      clearTimeout(timer);
      act();
    };
    let text = '';
    let isRead = false;
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      if (isRead) return; // Later output is read and dropped, so that the pipe never fills.
      text += chunk;
      const newline = text.indexOf('\n');
      if (newline === -1) return;
      isRead = true;
      finish(() => {
        try {
          resolve(Status.parse(JSON.parse(text.slice(0, newline))));
        } catch (error) {
          reject(error as Error);
        }
      });
    });
    child.once('error', (error) => finish(() => reject(error)));
    child.once('exit', (code, signal) => finish(() => reject(new Error(`it ended with ${signal ?? code}`))));
  });
}

async function end({ child }: Pick<Running, 'child'>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = new AbortController();
  await Promise.race([exited, pause(STOP_TIMEOUT_MS, timer.signal)]);
  timer.abort();
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await exited;
  }
}

/** A Ctrl-C may arrive twice, from the terminal and passed on by npm. Signals within this time count as one. */
const SIGNAL_REPEAT_MS = 500;

/** Runs `stop` on Ctrl-C or SIGTERM and then ends with 130; a second signal ends at once. */
function onInterruption(stop: () => Promise<void>): () => void {
  let firstSignalMs: number | undefined;
  const listener = () => {
    if (firstSignalMs !== undefined) {
      if (performance.now() - firstSignalMs > SIGNAL_REPEAT_MS) process.exit(130);
      return;
    }
    firstSignalMs = performance.now();
    void stop().finally(() => process.exit(130));
  };
  process.on('SIGINT', listener).on('SIGTERM', listener);
  return () => void process.removeListener('SIGINT', listener).removeListener('SIGTERM', listener);
}
