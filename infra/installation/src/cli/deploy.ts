import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigError } from '@brokerx/infra/runtime/config.ts';
import { MAIL_NEEDED } from '@brokerx/infra/runtime/mode.ts';
import { realRuntime } from '@brokerx/infra/runtime/runtime.ts';
import { EXIT_FAILED } from '@brokerx/infra/runtime/shutdown.ts';
import { wholeNumber } from '@brokerx/infra/runtime/wholeNumber.ts';
import { acquireLock, LockHeld } from '@brokerx/infra/servers/folderLock.ts';
import type { Command } from 'commander';
import { dockerContainers } from '../deploy/containers.docker.ts';
import { ContainersFailed } from '../deploy/containers.ts';
import { type Deployment, DeploymentRefused, deploy, rollBack } from '../deploy/deploy.ts';
import { readEnvFile, setInEnvFile } from '../deploy/envFile.ts';
import { addRelease, previousTag, readReleases } from '../deploy/releases.ts';
import { ROLES } from '../deploy/roles.ts';
import { wrongSettings } from '../supervise/wrongSettings.ts';
import { ENV_FILE } from './makeEnv.ts';

/** Milliseconds between two services of a kind: longer than the gateway avoids an API after a failure (2 s). */
const SETTLE_MS = 5_000;

const ROOT = resolve(import.meta.dirname, '../../../..');
const COMPOSE_FILE = join(ROOT, 'infra/compose.yaml');

type SharedOptions = { envFile: string; timeout: number };
type DeployOptions = SharedOptions & { tag?: string; dirty: boolean; buildOption: string[] };

export function addDeploy(program: Command): void {
  withSharedOptions(program.command('deploy'))
    .description(
      'Build the image of the present commit and replace the running services one by one; what does not become ready is undone.',
    )
    .argument('[services...]', 'which to replace, such as command-api; all when none is named')
    .option('--tag <tag>', 'an image that is there already, instead of building one')
    .option('--dirty', 'also when there are changes that are not committed', false)
    .option(
      '--build-option <option>',
      'more for docker build, such as --network=host; may be repeated',
      collect,
      [],
    )
    .action((services: string[], options: DeployOptions) => reportErrors(() => deployAll(services, options)));
  withSharedOptions(program.command('rollback'))
    .description('Go back to the image before, or to a named one.')
    .argument(
      '[tag-or-services...]',
      'an image’s tag, and which services; the one before, and all, when none is named',
    )
    .action((words: string[], options: SharedOptions) => reportErrors(() => rollBackAll(words, options)));
}

const collect = (option: string, before: string[]) => [...before, option];

const withSharedOptions = (command: Command) =>
  command
    .option('--env-file <file>', 'settings and secrets', ENV_FILE)
    .option('--timeout <seconds>', 'how long a service may take to be ready', wholeNumber(1, 3_600), 180);

async function deployAll(services: string[], options: DeployOptions): Promise<boolean> {
  const commit = git('rev-parse', '--short=12', 'HEAD');
  const isDirty = git('status', '--porcelain') !== '';
  if (options.tag === undefined && isDirty && !options.dirty) {
    throw new DeploymentRefused('there are changes that are not committed: commit them, or give --dirty');
  }
  // Each image with uncommitted changes gets a tag of its own, so that a tag never means another image later.
  const stamp = Math.floor(realRuntime.nowMs() / 1_000).toString(36);
  const tag = options.tag ?? (isDirty ? `${commit}-dirty-${stamp}` : commit);
  return withLock(options, options.buildOption, async (deployment) => {
    refuseNoMail(resolve(options.envFile));
    await refuseWrongSettings(resolve(options.envFile));
    if (options.tag !== undefined && !(await deployment.containers.hasImage(tag))) {
      throw new DeploymentRefused(`there is no image ${tag} here: docker images lists those there are`);
    }
    return deploy(deployment, services, tag);
  });
}

/** Refuses a deployment without a mail server, before the image is built: no command-api would start. */
function refuseNoMail(envFile: string): void {
  const { BROKERX_MODE, SMTP_URL } = readEnvFile(envFile);
  if (BROKERX_MODE === 'development' || SMTP_URL) return;
  throw new DeploymentRefused(
    `SMTP_URL ${MAIL_NEEDED}: set it in ${envFile} (docs/deployment.md); for a demonstration make the file with npm run make-env -- --demo`,
  );
}

/** Refuses a deployment with wrong settings, before the image is built: the containers would not start. */
async function refuseWrongSettings(envFile: string): Promise<void> {
  const env = readEnvFile(envFile);
  const mode = env.BROKERX_MODE === 'development' ? 'development' : 'production';
  const problems = await wrongSettings({ root: ROOT, env, mode, traders: false });
  if (problems.length > 0) throw new DeploymentRefused(`${envFile}: ${new ConfigError(problems).message}`);
}

async function rollBackAll(words: readonly string[], options: SharedOptions): Promise<boolean> {
  const services = words.filter(isService);
  const [tag, ...more] = words.filter((word) => !isService(word));
  if (more.length > 0)
    throw new DeploymentRefused(`${tag} and ${more.join(', ')}: only one image can be gone back to`);
  return withLock(options, [], (around) => rollBack(around, services, tag));
}

const isService = (word: string) =>
  ROLES.some(({ name, services }) => name === word || services.includes(word));

/** Runs a deployment while no other one uses the same settings. */
async function withLock(
  { envFile, timeout }: SharedOptions,
  buildOptions: readonly string[],
  act: (around: Deployment) => Promise<boolean>,
): Promise<boolean> {
  const path = resolve(envFile);
  if (!existsSync(path)) {
    throw new DeploymentRefused(`${path} is missing: make it with npm run make-env (docs/deployment.md)`);
  }
  const lock = acquireLock(`${path}.lock`);
  try {
    return await act(deploymentOf(path, timeout, buildOptions));
  } finally {
    lock.release();
  }
}

function deploymentOf(envFile: string, timeoutSeconds: number, buildOptions: readonly string[]): Deployment {
  const settings = readEnvFile(envFile);
  const releases = `${envFile}.releases.json`;
  const base = settings.BASE_IMAGE ? [`--build-arg=BASE_IMAGE=${settings.BASE_IMAGE}`] : [];
  return {
    containers: dockerContainers({
      root: ROOT,
      composeFile: COMPOSE_FILE,
      envFile,
      image: settings.BROKERX_IMAGE || 'brokerx',
      buildOptions: [...base, ...buildOptions],
      revision: git('rev-parse', 'HEAD'),
      env: withoutSettings(settings),
    }),
    setTag: ({ tagVariable }, tag) => setInEnvFile(envFile, tagVariable, tag),
    currentTag: ({ tagVariable }) => readEnvFile(envFile)[tagVariable] || undefined,
    previousTag: ({ name }) => previousTag(readReleases(releases), name),
    record: (what, tags) =>
      addRelease(releases, { at: new Date(realRuntime.nowMs()).toISOString(), what, tags }),
    say: (line) => process.stderr.write(`brokerx: ${line}\n`),
    runtime: realRuntime,
    readyTimeoutMs: timeoutSeconds * 1_000,
    settleMs: SETTLE_MS,
  };
}

/** The shell's variables without those in the file: Compose would prefer the shell's, but the file is what is deployed. */
const withoutSettings = (settings: Record<string, string>): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !(name in settings)));

const git = (...args: string[]): string =>
  execFileSync('git', ['-C', ROOT, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

async function reportErrors(act: () => Promise<boolean>): Promise<void> {
  try {
    if (!(await act())) process.exitCode = EXIT_FAILED;
  } catch (error) {
    const isExplained = error instanceof DeploymentRefused || error instanceof ContainersFailed;
    if (!isExplained && !(error instanceof LockHeld)) throw error;
    const text = isExplained ? error.message : `another deployment is under way: ${error.message}`;
    process.stderr.write(`brokerx: ${text}\n`);
    process.exitCode = EXIT_FAILED;
  }
}
