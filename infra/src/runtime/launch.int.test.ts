import { execFile, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type FreshClone,
  freshClone,
  INSTALL_MS,
  newcomersEnvironment,
  ROOT,
  scripts,
} from '../../test/freshClone.ts';

/** The launcher as a newcomer meets it: a clone with nothing installed, the Node that was there, whatever shell. */
test.for(Object.entries(scripts))(
  '%s is made of words that every shell takes alike, and runs what is there',
  ([, script]) => {
    for (const command of script.split(' && ')) {
      expect(command).toMatch(/^(node infra\/launch\.mjs|npm run) [\w@./:=-]+( [\w@./:=-]+)*$/);
      const [, file] = /^node infra\/launch\.mjs (\S+\.ts)/.exec(command) ?? [];
      if (file !== undefined) expect(existsSync(join(ROOT, file)), file).toBe(true);
    }
  },
);

describe('on a fresh clone', () => {
  let clone: FreshClone;
  beforeAll(() => {
    clone = freshClone();
  });
  afterAll(() => clone.remove());

  test(
    'the first command installs what is missing, says so beside its own output, and works',
    async () => {
      const { stdout, stderr } = await clone.help('replay');
      expect(stdout).toMatch(/^Usage: replay /);
      expect(stderr).toContain('installing what is missing');
    },
    INSTALL_MS,
  );

  // The product, a tool of another room, and the tools of others; every script has its turn in `launch.long.test.ts`.
  test.for(['start', 'sim:engine', 'check'])(
    'npm run %s -- --help tells how it is used, and installs nothing more',
    { timeout: INSTALL_MS },
    async (script) => {
      const { stdout, stderr } = await clone.help(script);
      expect(stdout).toMatch(/usage|options|--help/i);
      expect(stderr).not.toContain('installing');
    },
  );

  test.runIf(process.platform !== 'win32')('./brokerx is the same from any folder', async () => {
    const { stdout } = await promisify(execFile)(join(clone.folder, 'brokerx'), ['start', '--help'], {
      cwd: '/',
      env: newcomersEnvironment,
    });
    expect(stdout).toMatch(/^Usage: brokerx start /);
  });

  test(
    'what is to be installed has changed: it is installed anew, and a failure is told with its command',
    async () => {
      const lock = join(clone.folder, 'pnpm-lock.yaml');
      writeFileSync(lock, 'nothing that pnpm reads: [');
      await expect(clone.help('audit')).rejects.toMatchObject({
        code: expect.any(Number),
        stderr: expect.stringContaining('brokerx: the installation failed: npx --yes pnpm@'),
      });
      cpSync(join(ROOT, 'pnpm-lock.yaml'), lock);
      const { stdout, stderr } = await clone.help('audit');
      expect([stdout, stderr]).toEqual([
        expect.stringMatching(/^Usage: audit /),
        expect.stringContaining('installing'),
      ]);
    },
    INSTALL_MS,
  );
});

describe('between who calls and what runs', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'brokerx-launch-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs a script by the launcher, on the Node of before the installation. */
  function launched(text: string, args: string[] = []) {
    const script = join(folder, 'script.ts');
    writeFileSync(script, text);
    const launcher = join(ROOT, 'infra/launch.mjs');
    const child = spawn('node', [launcher, script, ...args], {
      env: newcomersEnvironment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ended = new Promise((done) => child.once('close', (code, signal) => done(code ?? signal)));
    const said = async () => String((await lines.next()).value);
    return { child, said, ended };
  }

  test('arguments arrive as they are, on the Node of node_modules, and the exit code comes back', async () => {
    const { said, ended } = launched(
      'const version: string = process.version; console.log(JSON.stringify([version, ...process.argv.slice(2)])); process.exit(7);',
      ['--a', 'b c', '', '"$HOME"'],
    );
    expect(JSON.parse(await said())).toEqual([process.version, '--a', 'b c', '', '"$HOME"']);
    expect(await ended).toBe(7);
  });

  test.runIf(process.platform !== 'win32').for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s reaches what runs, which ends as it likes',
    async (signal) => {
      const { child, said, ended } = launched(
        `process.on('${signal}', () => { console.log('heard'); process.exit(9); }); setInterval(() => {}, 1000); console.log('runs');`,
      );
      expect(await said()).toBe('runs');
      child.kill(signal);
      expect([await said(), await ended]).toEqual(['heard', 9]);
    },
  );

  test.runIf(process.platform !== 'win32')('what is killed counts as killed', async () => {
    const { said, ended } = launched('console.log(process.pid); setInterval(() => {}, 1000);');
    process.kill(Number(await said()), 'SIGKILL');
    expect(await ended).toBe('SIGKILL');
  });

  test.runIf(process.platform !== 'win32').for([
    ['Ctrl-C, which the terminal tells everybody', 'SIGINT', -1],
    ['SIGTERM to npm alone', 'SIGTERM', 1],
  ] as const)(
    '%s ends an installation in order, and nothing is left',
    { timeout: INSTALL_MS },
    async ([, signal, whom]) => {
      const data = join(folder, signal);
      const flags = ['--ports', 'free', '--no-traders', '--json-status', '--data', data];
      const child = spawn('npm', ['start', '--silent', '--', ...flags], {
        cwd: ROOT,
        env: newcomersEnvironment,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let log = '';
      child.stderr.on('data', (text) => {
        log += String(text);
      });
      const ended = new Promise((done) => child.once('close', done));
      const ready = new Promise((done) => child.stdout.once('data', () => done('ready')));
      expect(await Promise.race([ready, ended]), log).toBe('ready');
      process.kill(whom * (child.pid ?? 0), signal);
      await ended;
      expect(log).toContain('stopped; everything is kept');
      const running = execFileSync('ps', ['-ww', '-eo', 'args'], { encoding: 'utf8' }).split('\n');
      expect(running.filter((command) => command.includes(data))).toEqual([]);
      expect(existsSync(join(data, 'brokerx.lock'))).toBe(false);
    },
  );
});
