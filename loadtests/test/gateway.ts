import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { mayFail } from '@brokerx/client';
import { plainEnvironment, REPOSITORY } from '../src/config.ts';

/** A real nginx with the configuration that `brokerx gateway config` makes, in a temporary folder. */
export type Gateway = {
  url: string;
  port: number;
  /** The entries of its access log for this path, once there are as many as `requests`. */
  logged(path: string, requests: number): Promise<LoggedRequest[]>;
  stop(): Promise<void>;
};
export type LoggedRequest = { method: string; path: string; status: number; upstream: string };

/** Whether this machine has an IPv6 address of its own. */
export const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

const BROKERX = join(REPOSITORY, 'infra/installation/src/cli/main.ts');
const START_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

/** Runs `brokerx` with these arguments. A failure is an exit code, not an error. */
export async function brokerx(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; output: string }> {
  const run = promisify(execFile);
  try {
    const { stderr } = await run(process.execPath, [BROKERX, ...args], {
      env: { ...plainEnvironment(), ...env },
    });
    return { code: 0, output: stderr };
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string };
    return { code, output: stderr };
  }
}

export async function startGateway(nginx: string, env: Record<string, string>): Promise<Gateway> {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-gateway-'));
  // An nginx that is started as root runs as another user.
  chmodSync(folder, 0o755);
  const port = await freePort();
  const health = `127.0.0.1:${await freePort()}`;
  const log = join(folder, 'access.log');
  const result = await brokerx(['gateway', 'config', '--out', folder], {
    GATEWAY_LISTEN: `127.0.0.1:${port}${HAS_IPV6 ? `,[::1]:${port}` : ''}`,
    GATEWAY_HEALTH_LISTEN: health,
    GATEWAY_ACCESS_LOG: log,
    ...env,
  });
  if (result.code !== 0) throw new Error(result.output);
  const errors = openSync(join(folder, 'errors.log'), 'a');
  const config = join(folder, 'nginx.conf');
  const args = ['-e', 'stderr', '-p', folder, '-c', config, '-g', 'daemon off;'];
  const child = spawn(nginx, args, { stdio: ['ignore', 'ignore', errors] });
  closeSync(errors);
  const url = `${env['GATEWAY_TLS_KEY'] ? 'https' : 'http'}://127.0.0.1:${port}`;
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (!(await mayFail(fetch(`http://${health}/livez`), 'it has not started yet'))?.ok) {
    if (child.exitCode !== null || performance.now() > deadlineMs) {
      throw new Error(`nginx did not start:\n${readFileSync(join(folder, 'errors.log'), 'utf8')}`);
    }
    await delay(POLL_MS);
  }
  return {
    url,
    port,
    logged: (path, requests) => logged(log, path, requests),
    stop: async () => {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  await exited;
}

async function logged(log: string, path: string, requests: number): Promise<LoggedRequest[]> {
  for (;;) {
    const lines = existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n').filter(Boolean) : [];
    const entries = lines
      .map((line) => JSON.parse(line) as LoggedRequest)
      .filter((entry) => entry.path === path);
    if (entries.length >= requests) return entries;
    await delay(POLL_MS);
  }
}

/** A port that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = address !== null && typeof address === 'object' ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

export type AskOptions = {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** The client's own address. */
  from?: string;
};
export type Answer = {
  status: number;
  headers: IncomingHttpHeaders;
  /** The names of the headers as they came, none merged. */
  names: string[];
  text: string;
  problem: { code?: string; status?: number; request_id?: string; retryable?: boolean };
};

/** Sends one request as a browser or a program does, on a connection of its own. Certificates are not checked. */
export function ask(
  url: string,
  { method = 'GET', headers = {}, body, from }: AskOptions = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const local = from ? { localAddress: from } : {};
    const send = url.startsWith('https') ? httpsRequest : httpRequest;
    const request = send(url, { method, headers, agent: false, rejectUnauthorized: false, ...local });
    request.once('error', reject);
    request.once('response', (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      reply.once('error', reject);
      reply.once('end', () => {
        const isProblem = reply.headers['content-type']?.startsWith('application/problem+json');
        resolve({
          status: reply.statusCode ?? 0,
          headers: reply.headers,
          names: reply.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()),
          text,
          problem: isProblem ? (JSON.parse(text) as Answer['problem']) : {},
        });
      });
    });
    request.end(body);
  });
}
