import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Every command of BrokerX goes through here: `node infra/launch.mjs WHAT ARGUMENTS…`, where WHAT is a file of this
 * repository or a tool that it depends on. What is missing is installed, then it runs on the Node of node_modules. Plain
 * JavaScript without dependencies, because it runs on whatever Node is there first, and under any shell.
 */
const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const MODULES = join(ROOT, 'node_modules');
const INSTALL = 'npx --yes pnpm@12.21.0 install --frozen-lockfile --prefer-offline --loglevel=warn';
const NODE_MAJOR_MIN = 20;
const IS_WINDOWS = process.platform === 'win32';
/** A Ctrl-C comes from the terminal and from npm: what follows so soon is the same one. */
const SIGNAL_REPEAT_MS = 500;
/** How often it is looked whether the shell of npm is still there. */
const PARENT_LOOK_MS = 500;

export async function launch([what = '', ...args]) {
  if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
    fail(`Node ${NODE_MAJOR_MIN} or newer is needed, this is ${process.version}`);
  }
  await installMissing();
  const script = /\.[cm]?[jt]s$/.test(what) ? resolve(ROOT, what) : toolScript(what);
  const node = [join(MODULES, 'node/bin/node'), join(MODULES, 'node/bin/node.exe')].find(existsSync);
  if (!node) fail(`there is no Node in ${MODULES}: remove that folder and try again`);
  // Windows may call it Path.
  const path = Object.keys(process.env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH';
  const env = { ...process.env, [path]: [join(MODULES, '.bin'), process.env[path]].join(delimiter) };
  const { code, signal } = await run(node, [script, ...args], { stdio: 'inherit', env });
  end(code, signal);
}

/** Once, and again when what is to be installed has changed; otherwise it costs reading two files. */
async function installMissing() {
  const stamp = join(MODULES, '.brokerx-installed');
  const wanted = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) wanted.update(readFileSync(join(ROOT, file)));
  const digest = wanted.digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  process.stderr.write('brokerx: installing what is missing …\n');
  rmSync(stamp, { force: true });
  // Standard output belongs to the program. Only a shell finds npx.cmd on Windows.
  const [command, ...args] = INSTALL.split(' ');
  const { code, signal, error } = await run(command, args, {
    cwd: ROOT,
    stdio: ['ignore', process.stderr, process.stderr],
    shell: IS_WINDOWS,
  });
  if (error) fail(`npx cannot be run (${error.message}): install Node ${NODE_MAJOR_MIN} or newer with npm`);
  if (code !== 0) {
    if (!signal) process.stderr.write(`brokerx: the installation failed: ${INSTALL}\n`);
    end(code, signal);
  }
  writeFileSync(stamp, digest);
}

/** Tools are packages that the repository depends on; their scripts run on Node wherever their shims do not. */
function toolScript(tool) {
  const manifest = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  for (const name of Object.keys(manifest(ROOT).devDependencies)) {
    const { bin } = manifest(join(MODULES, name));
    const file = typeof bin === 'string' && name === tool ? bin : bin?.[tool];
    if (file) return join(MODULES, name, file);
  }
  return fail(
    `there is no tool ${tool || 'without a name'}: name a file of the repository, or a tool of package.json`,
  );
}

/**
 * Waits for its end. A signal to us is passed on, but for the echo of one; the death of the shell that npm runs scripts in
 * is one, too: npm passes SIGTERM to that shell, and it tells nobody.
 */
function run(command, args, options) {
  return new Promise((done) => {
    const child = spawn(command, args, options);
    let lastMs = Number.NEGATIVE_INFINITY;
    const passOn = (signal) => {
      const isEcho = performance.now() - lastMs < SIGNAL_REPEAT_MS;
      lastMs = performance.now();
      // The terminal of Windows tells everybody by itself, and what Node passes on there kills.
      if (!IS_WINDOWS && !isEcho) child.kill(signal);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, passOn);
    const parent = process.ppid;
    const isWatched = process.env.npm_lifecycle_event !== undefined && !IS_WINDOWS;
    const watch = setInterval(() => {
      if (!isWatched || process.ppid === parent) return;
      clearInterval(watch);
      child.kill('SIGTERM');
    }, PARENT_LOOK_MS);
    const settle = (result) => {
      clearInterval(watch);
      for (const signal of signals) process.removeListener(signal, passOn);
      done(result);
    };
    child.once('error', (error) => settle({ code: 1, signal: null, error }));
    child.once('close', (code, signal) => settle({ code, signal }));
  });
}

/** As what we ran has ended. Who answers Ctrl-C himself says so; where it came before he could, it is said here. */
function end(code, signal) {
  if (signal === 'SIGINT') process.stderr.write('brokerx: interrupted\n');
  if (signal && !IS_WINDOWS) process.kill(process.pid, signal);
  process.exit(code ?? 1);
}

function fail(message) {
  process.stderr.write(`brokerx: ${message}\n`);
  process.exit(1);
}

if (process.argv[1] && realpathSync(process.argv[1]) === realpathSync(fileURLToPath(import.meta.url))) {
  await launch(process.argv.slice(2));
}
