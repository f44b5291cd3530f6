import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

/** What a whole installation writes while its database is killed: one outage is one warning and one line of its end. */
let data = '';
let child: ChildProcess;
let lines: Line[] = [];

type Line = { level: string; msg: string; service?: string; err?: { stack?: string } };
const SERVICES = ['matching-engine', 'command-api', 'projectors', 'query-api'];
const KILLS = 2;
const MACHINE_IS_BUSY_MS = 180_000;
const patiently = { timeout: 60_000, interval: 50 };

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'brokerx-outage-'));
  lines = [];
  const brokerx = fileURLToPath(new URL('main.ts', import.meta.url));
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const args = [brokerx, 'start', '--no-traders', '--json-logs', '--ports', 'free', '--data', data];
  child = spawn(process.execPath, args, {
    env: { PATH, NODE_COMPILE_CACHE },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let rest = '';
  child.stderr?.on('data', (chunk) => {
    const parts = `${rest}${chunk}`.split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts.map((part) => JSON.parse(part) as Line));
  });
});
afterEach(async () => {
  const ended = new Promise((done) => child.once('close', done));
  child.kill('SIGTERM');
  await ended;
  rmSync(data, { recursive: true, force: true });
});

const postmaster = () =>
  (JSON.parse(readFileSync(join(data, 'run.json'), 'utf8')) as { pids: { postgres?: number } }).pids.postgres;
const said = (service: string, text: RegExp) =>
  lines
    .filter((line) => line.service === service && text.test(line.msg))
    .map(({ level, msg }) => ({ level, msg }));
const away = (service: string) => said(service, /^PostgreSQL \S+ is away: until it answers, /);
const back = (service: string) => said(service, /^PostgreSQL \S+ answers again after /);

test(
  'each killing of PostgreSQL is one warning and one line of its end in each process, and no stack trace',
  async () => {
    await expect.poll(() => lines.some(({ msg }) => msg === 'BrokerX is ready'), patiently).toBe(true);
    for (let kill = 1; kill <= KILLS; kill++) {
      lines = [];
      const killed = postmaster() ?? 0;
      process.kill(killed, 'SIGKILL');
      await expect
        .poll(() => SERVICES.filter((service) => back(service).length === 0), patiently)
        .toEqual([]);
      await expect.poll(postmaster, patiently).not.toBe(killed);
      for (const service of SERVICES) {
        expect(away(service), service).toEqual([
          { level: 'warn', msg: expect.stringContaining('nothing is read') },
        ]);
        expect(back(service), service).toMatchObject([{ level: 'info' }]);
      }
      expect(lines.filter(({ err }) => err?.stack !== undefined)).toEqual([]);
      const others = lines.filter(
        ({ service = '', level, msg }) =>
          SERVICES.includes(service) && level !== 'info' && !/^PostgreSQL \S+ is away/.test(msg),
      );
      expect(others).toEqual([]);
    }
  },
  MACHINE_IS_BUSY_MS,
);
