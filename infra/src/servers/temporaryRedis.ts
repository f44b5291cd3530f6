import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { freePort, LOOPBACK } from '../runtime/ports.ts';
import { undertaker } from './undertaker.ts';

/**
 * A Redis to throw away, and to kill: a `redis-server` of the machine on a port and in a folder of its own, gone when
 * its user is. It saves nothing by itself; what a client has it SAVE is there again after a restart.
 */
export type TemporaryRedis = {
  url: string;
  port: number;
  /** Undefined while it does not run. */
  pid(): number | undefined;
  folder: string;
  /** Sends it a command, such as `call('FLUSHALL')`. */
  call(command: string, ...args: string[]): Promise<unknown>;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  /** Stops it where it stands, without closing a connection, until it is to go on. */
  pause(): () => void;
  /** Starts it again at the same address. */
  start(): Promise<void>;
  /** Ends it for good and removes its folder. */
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
  const bury = await undertaker(burial, [folder]);
  let server: ChildProcess | undefined;
  let port = 0;

  const start = async (at: number) => {
    const directives = { ...STANDARD, ...settings, port: String(at), dir: folder, pidfile: pidFile };
    const args = Object.entries(directives).flatMap(([name, value]) => [`--${name}`, value]);
    server = await launch(args);
    port = at;
  };
  const kill = async () => {
    const running = server;
    server = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise((resolve) => running.once('exit', resolve));
    running.ref();
    running.kill('SIGKILL');
    await gone;
    // So that the undertaker does not look for a process that may be another one by then.
    rmSync(pidFile, { force: true });
  };
  const stop = async () => {
    await kill();
    await bury();
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
const STANDARD = { bind: LOOPBACK, save: '', appendonly: 'no', 'maxmemory-policy': 'noeviction' } as const;

/** Resolves when it takes connections; rejects with what it said when it ends before. */
function launch(args: readonly string[]): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const said: string[] = [];
    const lines = createInterface({ input: server.stdout });
    lines.on('line', (line) => {
      if (said.length < SAID_LINES_MAX) said.push(line);
      if (!/ready to accept connections/i.test(line)) return;
      // Not before: nothing else may keep this process alive until it is told what became of the start.
      server.unref();
      resolve(server);
    });
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`redis-server did not start:\n${said.join('\n')}`)));
  });
}

const SAID_LINES_MAX = 50;

const burial = `
kill -KILL "$(cat "$1/redis.pid")" 2> /dev/null
rm -rf "$1"
`;
