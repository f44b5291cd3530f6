import { spawn } from 'node:child_process';
import { z } from 'zod';
import { type ContainerState, type Containers, ContainersFailed } from './containers.ts';

/** Runs the containers of `infra/compose.yaml` by the commands `docker` and `docker compose`. */
export type DockerOptions = {
  /** The repository, from which the image is built. */
  root: string;
  composeFile: string;
  envFile: string;
  /** Name of the image, without its tag. */
  image: string;
  /** More for `docker build`, such as `--build-arg=BASE_IMAGE=…`. */
  buildOptions: readonly string[];
  /** The commit, as a label of the image. */
  revision: string;
  /** The environment of the commands. */
  env: NodeJS.ProcessEnv;
};

/** Restarts after which a service counts as failed. */
const RESTARTS_MAX = 3;
const LOG_LINES = '30';
/** Compose writes this before each line, even if the output is no terminal. */
const CLEAR_LINE = '\u001b[2K';

const Inspected = z.array(
  z.object({
    State: z.object({
      Status: z.string(),
      ExitCode: z.int(),
      Health: z.object({ Status: z.string() }).nullish(),
    }),
    RestartCount: z.int(),
    Config: z.object({ Healthcheck: z.object({ Test: z.array(z.string()).nullish() }).nullish() }),
  }),
);

export function dockerContainers(options: DockerOptions): Containers {
  const { root, composeFile, envFile, image, buildOptions, revision, env } = options;
  const docker = (args: readonly string[], show = false) =>
    run(['docker', ...args], { env, cwd: root, show });
  const compose = (args: readonly string[], show = false) =>
    docker(['compose', '--file', composeFile, '--env-file', envFile, ...args], show);
  const idOf = async (service: string) =>
    (await outputOf(compose(['ps', '--all', '--quiet', service]))).trim();

  return {
    hasImage: async (tag) => (await docker(['image', 'inspect', `${image}:${tag}`])).code === 0,
    async build(tag) {
      const label = `org.opencontainers.image.revision=${revision}`;
      const args = ['build', '--tag', `${image}:${tag}`, '--label', label, ...buildOptions, '.'];
      await outputOf(docker(args, true));
    },
    services: async () => (await outputOf(compose(['config', '--services']))).split('\n').filter(Boolean),
    async start(services) {
      await outputOf(compose(['up', '--detach', '--no-deps', '--no-build', ...services], true));
    },
    async state(service) {
      const id = await idOf(service);
      if (id === '') return 'absent';
      const [container] = Inspected.parse(JSON.parse(await outputOf(docker(['inspect', id]))));
      if (!container) return 'absent';
      const { State, RestartCount, Config } = container;
      const state = containerState(State, RestartCount);
      // Docker checks a container's health only every few seconds: meanwhile we run the same check ourselves.
      const healthCommand =
        state === 'starting' && State.Status === 'running' ? healthCommandOf(Config.Healthcheck?.Test) : null;
      if (healthCommand === null) return state;
      return (await docker(['exec', id, ...healthCommand])).code === 0 ? 'ready' : state;
    },
    async execute(service, command) {
      await outputOf(compose(['exec', '--no-TTY', service, ...command]));
    },
    lastLogLines: async (service) => {
      const args = ['logs', '--no-color', '--no-log-prefix', '--tail', LOG_LINES, service];
      const { out, errors } = await compose(args);
      return `${out}${errors}`.replaceAll(CLEAR_LINE, '').trimEnd();
    },
  };
}

type Inspected = z.infer<typeof Inspected>[number];

function containerState(state: Inspected['State'], restarts: number): ContainerState {
  const { Status: status, ExitCode: code, Health: health } = state;
  if (status === 'exited' || status === 'dead') return code === 0 ? 'finished' : 'failed';
  if (restarts >= RESTARTS_MAX) return 'failed';
  if (status !== 'running') return 'starting';
  if (!health || health.Status === 'healthy') return 'ready';
  return health.Status === 'unhealthy' ? 'failed' : 'starting';
}

function healthCommandOf(test: readonly string[] | null | undefined): readonly string[] | null {
  const [kind, ...command] = test ?? [];
  if (kind === 'CMD') return command;
  return kind === 'CMD-SHELL' ? ['sh', '-c', ...command] : null;
}

type CommandResult = { code: number; out: string; errors: string };

/** The standard output of a command. Throws `ContainersFailed` if the command failed. */
async function outputOf(running: Promise<CommandResult>): Promise<string> {
  const { code, out, errors } = await running;
  if (code === 0) return out;
  if (NO_COMPOSE.test(errors)) {
    throw new ContainersFailed(
      'Docker has no Compose here: install its plugin (docker compose version must answer)',
    );
  }
  throw new ContainersFailed(errors.trim() || out.trim() || `docker ended with ${code}`);
}

/** Docker's message without its Compose plugin: about the word, or about the flag behind it. */
const NO_COMPOSE = /'compose' is not a docker command|unknown flag: --file$|unknown command: docker compose/m;

function run(
  command: readonly string[],
  { env, cwd, show }: { env: NodeJS.ProcessEnv; cwd: string; show: boolean },
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      out += chunk;
      if (show) process.stderr.write(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors += chunk;
      if (show) process.stderr.write(chunk);
    });
    child.once('error', (cause) =>
      reject(
        new ContainersFailed(
          `docker cannot be run (${cause.message}): install Docker with its Compose plugin`,
          { cause },
        ),
      ),
    );
    child.once('close', (code) => resolve({ code: code ?? 1, out, errors }));
  });
}
