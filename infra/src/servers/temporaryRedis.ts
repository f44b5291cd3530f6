import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { freePort, LOOPBACK } from '../runtime/ports.ts';
import { cleanUpProcess } from './cleanUpProcess.ts';

/**
 * A temporary Redis, which tests may kill: a `redis-server` of the machine with a port and a folder of its own. It ends when the
 * process that started it ends. It saves nothing by itself; what a client makes it SAVE is there again after a restart.
 */
export type TemporaryRedis = {
  url: string;
  port: number;
  /** The server's pid; undefined while it does not run. */
  pid(): number | undefined;
  folder: string;
  /** Sends a command to the server, such as `call('FLUSHALL')`. */
  call(command: string, ...args: string[]): Promise<unknown>;
  /** Kills the server, as a crash does. */
  kill(): Promise<void>;
  /** Suspends the server without closing a connection. Returns a function that resumes it. */
  pause(): () => void;
  /** Starts the server again at the same address. */
  start(): Promise<void>;
  /** Kills the server and removes its folder. */
  stop(): Promise<void>;
};

/** Whether this machine has a `redis-server` to start. */
export const hasRedisServer = (): boolean => spawnSync('redis-server', ['--version']).status === 0;

/** `settings` are directives of redis.conf, such as `{ 'requirepass': 'secret' }`. */
export async function startTemporaryRedis(
  settings: Readonly<Record<string, string>> = {},
): Promise<TemporaryRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-redis-'));
  const pidFile = join(folder, 'redis.pid');
  const cleanUp = await cleanUpProcess(CLEAN_UP_SCRIPT, [folder]);
  let server: ChildProcess | undefined;
  let port = 0;

  const start = async (newPort: number) => {
    server = await launch({ ...settings, port: String(newPort), dir: folder, pidfile: pidFile });
    port = newPort;
  };
  const kill = async () => {
    const running = server;
    server = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const exited = new Promise((resolve) => running.once('exit', resolve));
    running.ref();
    running.kill('SIGKILL');
    await exited;
    // So that the cleaning process does not kill another process that has this pid by then.
    rmSync(pidFile, { force: true });
  };
  const stop = async () => {
    await kill();
    await cleanUp();
  };

  try {
    for (let attempt = 1; server === undefined; attempt++) {
      try {
        await start(await freePort());
      } catch (error) {
        // Somebody may have taken the port in between.
        if (attempt === START_ATTEMPTS_MAX) throw error;
      }
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `redis://${LOOPBACK}:${port}`,
    port,
    pid: () => server?.pid,
    folder,
    async call(command, ...args) {
      const client = new Redis(port, LOOPBACK, { retryStrategy: null });
      try {
        return await client.call(command, ...args);
      } finally {
        client.disconnect();
      }
    },
    kill,
    pause() {
      server?.kill('SIGSTOP');
      return () => server?.kill('SIGCONT');
    },
    start: () => start(port),
    stop,
  };
}

const START_ATTEMPTS_MAX = 3;
const DEFAULT_SETTINGS = {
  bind: LOOPBACK,
  save: '',
  appendonly: 'no',
  'maxmemory-policy': 'noeviction',
} as const;

/** Launches a server. Resolves when it accepts connections; rejects with its output if it ends before. */
function launch(settings: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const directives = Object.entries({ ...DEFAULT_SETTINGS, ...settings });
  const args = directives.flatMap(([name, value]) => [`--${name}`, value]);
  return new Promise((resolve, reject) => {
    const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const output: string[] = [];
    const lines = createInterface({ input: server.stdout });
    lines.on('line', (line) => {
      if (output.length < OUTPUT_LINES_MAX) output.push(line);
      if (!/ready to accept connections/i.test(line)) return;
      // Not earlier: until the start has succeeded or failed, the server must keep this process alive.
      server.unref();
      resolve(server);
    });
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`redis-server did not start:\n${output.join('\n')}`)));
  });
}

const OUTPUT_LINES_MAX = 50;

const CLEAN_UP_SCRIPT = `
kill -KILL "$(cat "$1/redis.pid")" 2> /dev/null
rm -rf "$1"
`;
