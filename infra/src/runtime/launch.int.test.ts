import { execFile, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative, resolve, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** The launcher as a newcomer meets it: a clone with nothing installed, the Node that was there, whatever shell. */
const root = resolve(import.meta.dirname, '../../..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

test.for(Object.entries(scripts))('%s is made of words that every shell takes alike', ([, script]) => {
  for (const command of script.split(' && ')) {
    expect(command).toMatch(/^(node infra\/launch\.mjs|npm run) [\w@./:=-]+( [\w@./:=-]+)*$/);
  }
});

/** The programs of before the installation: a test run has those of node_modules in front of them. */
const PATH = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter);
const { HOME, npm_config_registry } = process.env;
const env = { PATH, HOME, ...(npm_config_registry === undefined ? {} : { npm_config_registry }) };

/** An installation from a warm store, on a machine that is busy. */
const INSTALL_MS = 300_000;

describe('on a fresh clone', () => {
  let clone = '';
  beforeAll(() => {
    clone = mkdtempSync(join(tmpdir(), 'brokerx-clone-'));
    const left = new Set(['node_modules', '.git', '.brokerx']);
    const isPartOfIt = (path: string) =>
      !relative(root, path)
        .split(sep)
        .some((part) => left.has(part));
    cpSync(root, clone, { recursive: true, filter: isPartOfIt });
  });
  afterAll(() => rmSync(clone, { recursive: true, force: true }));

  const help = async (script: string) => {
    const { stdout, stderr } = await promisify(execFile)('npm', ['run', '--silent', script, '--', '--help'], {
      cwd: clone,
      env,
      maxBuffer: 2 ** 24,
    });
    return { stdout, stderr };
  };

  test(
    'the first command installs what is missing, says so beside its own output, and works',
    async () => {
      const { stdout, stderr } = await help('replay');
      expect(stdout).toMatch(/^Usage: replay /);
      expect(stderr).toContain('installing what is missing');
    },
    INSTALL_MS,
  );

  // What `npm test` does is `check`, and then a tool.
  test.for(Object.keys(scripts).filter((script) => script !== 'test'))(
    'npm run %s -- --help tells how it is used, and installs nothing more',
    { timeout: INSTALL_MS },
    async (script) => {
      const { stdout, stderr } = await help(script);
      expect(stdout).toMatch(/usage|options|--help/i);
      expect(stderr).not.toContain('installing');
    },
  );

  test.runIf(process.platform !== 'win32')('./brokerx is the same from any folder', async () => {
    const { stdout } = await promisify(execFile)(join(clone, 'brokerx'), ['start', '--help'], {
      cwd: '/',
      env,
    });
    expect(stdout).toMatch(/^Usage: brokerx start /);
  });

  test(
    'what is to be installed has changed: it is installed anew, and a failure is told with its command',
    async () => {
      const lock = join(clone, 'pnpm-lock.yaml');
      writeFileSync(lock, 'nothing that pnpm reads: [');
      await expect(help('audit')).rejects.toMatchObject({
        code: expect.any(Number),
        stderr: expect.stringContaining('brokerx: the installation failed: npx --yes pnpm@'),
      });
      cpSync(join(root, 'pnpm-lock.yaml'), lock);
      const { stdout, stderr } = await help('audit');
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
    const launcher = join(root, 'infra/launch.mjs');
    const child = spawn('node', [launcher, script, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
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
        cwd: root,
        env,
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
