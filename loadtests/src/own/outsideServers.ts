import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { plainEnvironment, REPOSITORY } from '../config.ts';
import { BROKERX } from './installation.ts';

/** Servers that an installation uses beside PostgreSQL, to throw away: `brokerx servers` starts them again when killed. */
export type OutsideServers = {
  /** What the installation is told of them. */
  env: Record<string, string>;
  /** Pids as they are now, by `kafka` and `redis`; one that is down has none. */
  pids(): Record<string, number>;
  /** Kills all of them, which stay away until the function that this gives is called. */
  takeAway(): () => void;
  /** Empties Redis, as an operator's mistake does. */
  flushRedis(): Promise<void>;
  stop(): Promise<void>;
};

const Status = z.object({
  env: z.record(z.string(), z.string()),
  pids: z.record(z.string(), z.int()),
});

/** Kafka's jars may have to be fetched. */
const START_TIMEOUT_MS = 300_000;
const POLL_MS = 100;

/** None when neither is asked for. */
export async function startOutsideServers(which: {
  kafka: boolean;
  redis: boolean;
}): Promise<OutsideServers> {
  const flags = [...(which.kafka ? ['--kafka'] : []), ...(which.redis ? ['--redis'] : [])];
  if (flags.length === 0) {
    const nothing = async () => undefined;
    return { env: {}, pids: () => ({}), takeAway: () => () => undefined, flushRedis: nothing, stop: nothing };
  }
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-servers-'));
  const file = join(folder, 'status.json');
  const child = spawn(process.execPath, [BROKERX, 'servers', ...flags, '--status-file', file], {
    cwd: REPOSITORY,
    env: plainEnvironment(),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGTERM');
    await gone;
    rmSync(folder, { recursive: true, force: true });
  };
  const status = () => Status.parse(JSON.parse(readFileSync(file, 'utf8')));
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!existsSync(file)) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await stop();
      throw new Error('the servers that the drill is to use did not start; see above');
    }
    await delay(POLL_MS);
  }
  const { env } = status();
  const takeAway = () => {
    // Who is held cannot start them again.
    child.kill('SIGSTOP');
    for (const pid of Object.values(status().pids)) process.kill(pid, 'SIGKILL');
    return () => void child.kill('SIGCONT');
  };
  return { env, pids: () => status().pids, takeAway, flushRedis: () => flush(env['REDIS_URL'] ?? ''), stop };
}

/** Redis takes commands as plain lines, too. */
function flush(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.end('FLUSHALL\r\n'));
    socket
      .once('error', reject)
      .once('close', () => resolve())
      .resume();
  });
}
