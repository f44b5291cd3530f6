import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '@brokerx/client';
import { z } from 'zod';
import { plainEnvironment, REPOSITORY } from '../config.ts';
import { type Counts, countFlags } from './counts.ts';

/** A BrokerX of one's own: started in a folder to throw away, on free ports, and gone afterwards. */
export type Installation = {
  status: Status;
  dataDir: string;
  /** Pids as they are now: a killed process has another one after its restart. */
  pids(): Record<string, number>;
  /**
   * Ends the services, runs `work` while nothing but the database is up, and starts everything again. The services are
   * killed: it is for installations that nobody has used yet, or that must survive it.
   */
  withDatabaseAlone(work: () => Promise<void>): Promise<{ startMs: number }>;
  /** Stops it and starts it again, on other ports. */
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
/** The database's name in `run.json`; its pid is the postmaster's. */
export const DATABASE_PROCESS = 'postgres';
/** The first start makes a database; a start after a crash redoes its log and recovers every book. */
const START_TIMEOUT_MS = 180_000;
/** Services finish what is in flight within 10 s each, PostgreSQL writes a checkpoint. */
const STOP_TIMEOUT_MS = 60_000;
const LOG_TAIL_LINES = 30;

/** What an installation for load takes from the one address that all its people have, and others do not. */
const ONE_MACHINE = { PASSCODE_MAILS_PER_ADDRESS_PER_HOUR_MAX: '100000' };

export type InstallationOptions = {
  /** Simulated traders beside the load. */
  traders?: boolean;
  /** How many processes of each kind; one when absent. */
  counts?: Counts;
  /** Environment variables beside the own ones. */
  env?: Record<string, string>;
  /** Fills its folder before the first start, with data of another time. */
  fill?: (dataDir: string) => void;
  /** Where its folder is made; among the system's temporary files when absent. */
  parent?: string;
  /** Keep the folder (logs, data) afterwards. */
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
  // A second signal, such as the echo of a Ctrl-C, comes while this goes on: it must not end us half-way.
  const stop = async () => {
    await end(running);
    if (!options.keep) rmSync(dataDir, { recursive: true, force: true });
    running.watcher.kill('SIGKILL');
    releaseSignals();
  };
  const restart = async () => {
    await end(running);
    running.watcher.kill('SIGKILL');
    const begun = performance.now();
    running = await launch(dataDir, options);
    return { startMs: performance.now() - begun };
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
      // A supervisor that is held cannot start its services again; the database needs no supervision to work.
      child.kill('SIGSTOP');
      try {
        for (const [name, pid] of Object.entries(currentPids(status))) {
          if (name !== DATABASE_PROCESS) process.kill(pid, 'SIGKILL');
        }
        await work();
      } finally {
        child.kill('SIGTERM'); // Taken up when it goes on: it stops before it restarts anything.
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
 * A shell that stops the installation and removes its folder when we are gone without having done so: who is killed
 * cannot clean up. It waits for the end of its input, which comes with our end.
 */
function undertaker(pid: number | undefined, folder: string): ChildProcess {
  const shell = spawn('/bin/sh', ['-c', UNDERTAKER, 'undertaker', String(pid ?? ''), folder], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.unref();
  return shell;
}
// Waits at most a minute (600 × 0.1 s) for the installation to stop.
const UNDERTAKER = `
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
  const watcher = undertaker(child.pid, options.keep ? '' : dataDir);
  try {
    const status = await firstLine(child);
    return { child, watcher, status };
  } catch (cause) {
    await end({ child });
    watcher.kill('SIGKILL');
    const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
    throw new Error(`brokerx start did not come up: ${(cause as Error).message}\n${tail}`, { cause });
  }
}

function firstLine(child: ChildProcess): Promise<Status> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`not ready within ${START_TIMEOUT_MS} ms`)),
      START_TIMEOUT_MS,
    );
    const settle = (act: () => void) => {
      clearTimeout(timer);
      act();
    };
    let text = '';
    let told = false;
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      if (told) return; // The rest is read and dropped, so that the pipe never fills.
      text += chunk;
      const newline = text.indexOf('\n');
      if (newline === -1) return;
      told = true;
      settle(() => {
        try {
          resolve(Status.parse(JSON.parse(text.slice(0, newline))));
        } catch (error) {
          reject(error as Error);
        }
      });
    });
    child.once('error', (error) => settle(() => reject(error)));
    child.once('exit', (code, signal) => settle(() => reject(new Error(`it ended with ${signal ?? code}`))));
  });
}

async function end({ child }: Pick<Running, 'child'>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((done) => child.once('exit', () => done()));
  child.kill('SIGTERM');
  const timer = new AbortController();
  await Promise.race([gone, pause(STOP_TIMEOUT_MS, timer.signal)]);
  timer.abort();
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await gone;
  }
}

/** A Ctrl-C may arrive twice, from the terminal and passed on by npm: what follows so soon is the same one. */
const SIGNAL_REPEAT_MS = 500;

/** Runs `stop` on Ctrl-C or SIGTERM and then ends with 130; a second signal ends at once. */
function onInterruption(stop: () => Promise<void>): () => void {
  let askedMs: number | undefined;
  const listener = () => {
    if (askedMs !== undefined) {
      if (performance.now() - askedMs > SIGNAL_REPEAT_MS) process.exit(130);
      return;
    }
    askedMs = performance.now();
    void stop().finally(() => process.exit(130));
  };
  process.on('SIGINT', listener).on('SIGTERM', listener);
  return () => void process.removeListener('SIGINT', listener).removeListener('SIGTERM', listener);
}
