import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { plainEnvironment, REPOSITORY } from '../config.ts';
import { BROKERX } from './installation.ts';

/** Temporary servers that an installation uses beside PostgreSQL. `brokerx servers` restarts a killed one. */
export type OutsideServers = {
  /** The environment variables with their addresses. */
  env: Record<string, string>;
  /** The current pids, by `kafka` and `redis`. A server that is down has none. */
  pids(): Record<string, number>;
  /** Kills all of them. They stay away until the returned function is called. */
  takeAway(): () => void;
  /** Empties Redis, as an operator's mistake does. */
  flushRedis(): Promise<void>;
  stop(): Promise<void>;
};

const Status = z.object({
  env: z.record(z.string(), z.string()),
  pids: z.record(z.string(), z.int()),
});

/** Kafka's jars may have to be downloaded. */
const START_TIMEOUT_MS = 300_000;
const POLL_MS = 100;

/** Starts the servers that are asked for, if any. */
export async function startOutsideServers(kinds: {
  kafka: boolean;
  redis: boolean;
}): Promise<OutsideServers> {
  const flags = [...(kinds.kafka ? ['--kafka'] : []), ...(kinds.redis ? ['--redis'] : [])];
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
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  const status = () => Status.parse(JSON.parse(readFileSync(file, 'utf8')));
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (!existsSync(file)) {
    if (child.exitCode !== null || performance.now() > deadlineMs) {
      await stop();
      throw new Error('the servers that the drill is to use did not start; see above');
    }
    await delay(POLL_MS);
  }
  const { env } = status();
  const takeAway = () => {
    // A stopped supervisor cannot restart them.
    child.kill('SIGSTOP');
    for (const pid of Object.values(status().pids)) process.kill(pid, 'SIGKILL');
    return () => void child.kill('SIGCONT');
  };
  return { env, pids: () => status().pids, takeAway, flushRedis: () => flush(env['REDIS_URL'] ?? ''), stop };
}

/** Empties Redis, which takes commands as plain lines, too. */
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
