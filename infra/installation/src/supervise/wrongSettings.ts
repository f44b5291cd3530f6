import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigProblem } from '@brokerx/infra/runtime/config.ts';
import type { Mode } from '@brokerx/infra/runtime/mode.ts';
import { LOOPBACK } from '@brokerx/infra/runtime/ports.ts';
import { sameForAll } from '../database/databaseRoles.ts';
import { halfAnOperator, LOOKED_AT, noMail, sharedProblems, type Variables } from './brokenVariables.ts';
import { ONE_OF_EACH } from './instances.ts';
import { newSecrets } from './secrets.ts';
import { brokerxServices } from './serviceCatalog.ts';

/**
 * Every variable that is wrong, whichever service reads it, before anything is made or started. What services share is
 * looked at here; what one of them alone knows, it is asked for, all of them at the same time. That takes some tenths of a
 * second, so nobody is asked where nothing is set that only a service knows.
 */
export async function wrongSettings(options: {
  /** The repository, where the services are. */
  root: string;
  /** Where the data of an installation of this machine are, or will be. */
  dataDir?: string;
  env: Variables;
  mode: Mode;
  traders: boolean;
}): Promise<readonly ConfigProblem[]> {
  const { root, env, mode } = options;
  const problems = [...sharedProblems(env), ...halfAnOperator(env), ...noMail(mode, env)];
  if (!isAnySet(root, env)) return problems;
  const told = await Promise.all(askedOf(options).map(problemsOf));
  return distinct([...problems, ...told.flat()]);
}

type Asked = { config: string; env: Readonly<Record<string, string>> };

/** One process of each kind, in the environment that it will have; what is only made at the start is made up. */
function askedOf({ root, dataDir = '', env, mode, traders }: Parameters<typeof wrongSettings>[0]): Asked[] {
  const surroundings = {
    root,
    dataDir,
    databaseUrls: sameForAll(`postgres://${LOOPBACK}/brokerx`),
    ports: { command: [0], query: [0], inbox: 0 },
    counts: ONE_OF_EACH,
    secrets: newSecrets(),
    env,
    mode,
    traders,
  };
  return brokerxServices(surroundings).flatMap(({ config, env: own }) =>
    config ? [{ config, env: own }] : [],
  );
}

/** Several services may read one variable; the first that is told counts. */
function distinct(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  const seen = new Set<string>();
  return problems.filter(({ variable }) => !seen.has(variable) && seen.add(variable));
}

/** Whether a variable is set that `.env.example` explains, beyond those that were looked at. */
function isAnySet(root: string, env: Variables): boolean {
  const explained = readFileSync(join(root, '.env.example'), 'utf8').matchAll(/^([A-Z][A-Z0-9_]+)=/gm);
  return explained.some(([, name = '']) => Boolean(env[name]) && !LOOKED_AT.has(name));
}

/** Milliseconds for loading what reads a few variables, on a machine that is busy. */
const ANSWER_MS = 30_000;

function problemsOf({
  config,
  env: { NODE_COMPILE_CACHE: cache = '', ...env },
}: Asked): Promise<readonly ConfigProblem[]> {
  return new Promise((resolve, reject) => {
    // An earlier start left compiled code there; this one is to leave nothing yet.
    const compiled = existsSync(cache) ? { NODE_COMPILE_CACHE: cache } : {};
    const surroundings = { env: { ...env, ...compiled }, timeout: ANSWER_MS };
    execFile(process.execPath, [config], surroundings, (error, stdout) => {
      if (error) reject(error);
      else resolve(JSON.parse(stdout) as ConfigProblem[]);
    });
  });
}
