import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { freePort, LOOPBACK } from '@brokerx/infra/runtime/ports.ts';
import { START_MESSAGE, WAITS_FOR_SIGNAL } from '@brokerx/infra/runtime/startSignal.ts';
import { identify, type ProcessIdentity, stopProcess } from '@brokerx/infra/servers/processes.ts';
import type { Ended, Running } from './supervisor.ts';

/** Runs a service of this repository as a process of its own: Node with the service's `main.ts`. */
export type ServiceSpec = {
  name: string;
  /** The file to run. */
  script: string;
  /** The file that reads its settings; run by itself, it prints what is wrong with them. */
  config?: string;
  env: Readonly<Record<string, string>>;
  /** The port of its API; `'free'`: it has no API, and gets a free port for its health; null: it has neither. */
  port: number | 'free' | null;
  /** BrokerX counts as ready without this service. */
  optional?: boolean;
};

/** Services finish their work within their own deadline of 9.5 s (`SHUTDOWN_DEADLINE_MS`); then they are killed. */
const STOP_TIMEOUT_MS = 10_000;
const KILL_TIMEOUT_MS = 5_000;
/** Lines of a service's standard error that the message of a failed start repeats; its log goes to standard output. */
const STDERR_LINES_MAX = 15;

/** `reserved`: the ports of other services, which these keep while they restart. */
export async function startService(
  spec: ServiceSpec,
  onLine: (line: string) => void,
  reserved: ReadonlySet<number> = new Set(),
): Promise<Running> {
  const port = spec.port === 'free' ? await unreservedPort(reserved) : spec.port;
  const health = spec.port === 'free' ? { HEALTH_PORT: String(port) } : {};
  const env = { ...spec.env, ...health, BROKERX_OPENING: WAITS_FOR_SIGNAL };
  // A session of its own: Ctrl-C reaches the supervisor alone, which stops the services in order. The channel
  // carries the start signal, and its end tells a service that the supervisor is gone.
  const child = spawn(process.execPath, [spec.script], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const stderr: string[] = [];
  if (child.stdout) relay(child.stdout, onLine);
  if (child.stderr) {
    relay(child.stderr, (line) => {
      stderr.push(line);
      if (stderr.length > STDERR_LINES_MAX) stderr.shift();
      onLine(line);
    });
  }
  const exited = new Promise<Ended>((resolve) => {
    child.once('error', (error) => resolve({ reason: error.message, code: null }));
    child.once('close', (code, signal) =>
      resolve({ reason: signal ?? `exit code ${code}`, code, stderr: stderr.join('\n') }),
    );
  });
  const pid = child.pid ?? 0;
  const identity = identify(pid);
  return {
    pid,
    readyUrl: port === null ? null : `http://${LOOPBACK}:${port}/readyz`,
    exited,
    // A child that is ending does not receive it, and need not.
    sendStartSignal: () => void child.send(START_MESSAGE, () => {}),
    stop: async () => {
      if (identity) await stopFirmly(identity);
      await exited;
    },
  };
}

async function unreservedPort(reserved: ReadonlySet<number>): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (!reserved.has(port)) return port;
  }
}

/** Stops a process: first by SIGTERM, and by SIGKILL if it does not end in time. */
export async function stopFirmly(identity: ProcessIdentity): Promise<void> {
  if (await stopProcess(identity, 'SIGTERM', STOP_TIMEOUT_MS)) return;
  if (await stopProcess(identity, 'SIGKILL', KILL_TIMEOUT_MS)) return;
  throw new Error(`process ${identity.pid} cannot be stopped`);
}

function relay(stream: Readable, onLine: (line: string) => void): void {
  createInterface({ input: stream }).on('line', onLine);
}
