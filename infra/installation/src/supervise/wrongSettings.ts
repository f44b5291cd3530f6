import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigProblem } from '@brokerx/infra/runtime/config.ts';
import type { Mode } from '@brokerx/infra/runtime/mode.ts';
import { LOOPBACK } from '@brokerx/infra/runtime/ports.ts';
import { sameForAll } from '../database/databaseRoles.ts';
import {
  CHECKED_VARIABLES,
  halfAnOperator,
  noMail,
  sharedProblems,
  type Variables,
} from './brokenVariables.ts';
import { ONE_OF_EACH } from './instances.ts';
import { newSecrets } from './secrets.ts';
import { brokerxServices } from './serviceCatalog.ts';

/**
 * Finds every wrong variable, whichever service reads it, before anything is created or started. Shared variables are checked
 * here. For the others each service's `config.ts` is run, all at the same time; that takes some tenths of a second, so it is
 * done only if a variable is set that only a service knows.
 */
export async function wrongSettings(options: {
  /** The repository, where the services are. */
  root: string;
  /** The data folder of an installation on this machine. */
  dataDir?: string;
  env: Variables;
  mode: Mode;
  traders: boolean;
}): Promise<readonly ConfigProblem[]> {
  const { root, env, mode } = options;
  const problems = [...sharedProblems(env), ...halfAnOperator(env), ...noMail(mode, env)];
  if (!isAnySet(root, env)) return problems;
  const serviceProblems = await Promise.all(checksOf(options).map(problemsOf));
  return distinct([...problems, ...serviceProblems.flat()]);
}

type Check = { config: string; env: Readonly<Record<string, string>> };

/** One check for each kind of service, in the environment that it will have; values known only at the start are invented. */
function checksOf({ root, dataDir = '', env, mode, traders }: Parameters<typeof wrongSettings>[0]): Check[] {
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

/** The first problem of each variable: several services may read the same one. */
function distinct(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  const seen = new Set<string>();
  return problems.filter(({ variable }) => !seen.has(variable) && seen.add(variable));
}

/** Whether a variable of `.env.example` is set that was not checked here. */
function isAnySet(root: string, env: Variables): boolean {
  const explained = readFileSync(join(root, '.env.example'), 'utf8').matchAll(/^([A-Z][A-Z0-9_]+)=/gm);
  return explained.some(([, name = '']) => Boolean(env[name]) && !CHECKED_VARIABLES.has(name));
}

/** Milliseconds for one check, which loads Node and reads a few variables, on a busy machine. */
const CHECK_MS = 30_000;

function problemsOf({
  config,
  env: { NODE_COMPILE_CACHE: cache = '', ...env },
}: Check): Promise<readonly ConfigProblem[]> {
  return new Promise((resolve, reject) => {
    // Uses compiled code that an earlier start left, but leaves none itself: nothing may be created yet.
    const compiled = existsSync(cache) ? { NODE_COMPILE_CACHE: cache } : {};
    const surroundings = { env: { ...env, ...compiled }, timeout: CHECK_MS };
    execFile(process.execPath, [config], surroundings, (error, stdout) => {
      // Too slow a machine keeps nobody from starting: each service reads its variables itself, and says the same of them.
      if (error?.killed) resolve([]);
      else if (error) reject(error);
      else resolve(JSON.parse(stdout) as ConfigProblem[]);
    });
  });
}
