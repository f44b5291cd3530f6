import { type Api, brokerApi } from '@brokerx/client';
import type { Command } from 'commander';
import { EXIT, print, progress } from '../cli/report.ts';
import { type Operator, operatorOf } from '../operator.ts';
import { type Counts, countsOf, withCounts } from './counts.ts';
import { type Installation, type InstallationOptions, startInstallation } from './installation.ts';
import { RAISED_BOUNDS, RAISED_BOUNDS_NOTICE } from './raisedBounds.ts';

/** The system that a tool works on: a running installation, or one of its own, which it removes afterwards. */
export type Target = {
  api: Api;
  operator: Operator;
  /** The installation, if it is the tool's own. */
  installation: Installation | undefined;
  close(): Promise<void>;
};

export type TargetOptions = Counts & {
  commandUrl?: string;
  queryUrl?: string;
  operatorEmail?: string;
  operatorPassword?: string;
  json?: boolean;
};

/** Adds the options that every tool has. */
export const withTarget = (program: Command): Command =>
  withCounts(program)
    .option('--command-url <url>', 'command-api of a running installation (default: starts one of its own)')
    .option('--query-url <url>', 'its query-api')
    .option('--operator-email <address>', 'its operator')
    .option('--operator-password <password>')
    .option('--json', 'one JSON object with `ok` on the last line');

export async function openTarget(
  options: TargetOptions,
  own: InstallationOptions & {
    connections?: number;
    /** Prepares an installation of the tool's own before anybody uses it. */
    prepare?: ((installation: Installation) => Promise<void>) | undefined;
  } = {},
): Promise<Target> {
  const { commandUrl, queryUrl, operatorEmail, operatorPassword } = options;
  const addressed = [commandUrl, queryUrl, operatorEmail, operatorPassword].filter(
    (value) => value !== undefined,
  );
  if (addressed.length > 0 && addressed.length < 4) {
    throw new Error(
      'a running installation needs all of --command-url, --query-url, --operator-email, --operator-password',
    );
  }
  let installation: Installation | undefined;
  if (addressed.length === 0) {
    progress(RAISED_BOUNDS_NOTICE);
    const env = { ...RAISED_BOUNDS, ...own.env };
    installation = await startInstallation({ counts: countsOf(options), ...own, env });
    try {
      await own.prepare?.(installation);
    } catch (error) {
      await installation.stop();
      throw error;
    }
  }
  const api = brokerApi({
    commandUrl: commandUrl ?? installation?.status.commandUrl ?? '',
    queryUrl: queryUrl ?? installation?.status.queryUrl ?? '',
    ...(installation
      ? { commandUrls: installation.status.commandUrls, queryUrls: installation.status.queryUrls }
      : {}),
    ...(own.connections ? { connections: own.connections } : {}),
  });
  const close = async () => {
    await api.close();
    await installation?.stop();
  };
  try {
    const operator = await operatorOf(
      api,
      operatorEmail ?? installation?.status.operatorEmail ?? '',
      operatorPassword ?? installation?.status.operatorPassword ?? '',
    );
    return { api, operator, installation, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Runs a tool and sets the exit code. With `json` it prints the figures as one JSON line. */
export async function runTool(
  json: boolean | undefined,
  tool: () => Promise<{ exitCode: number; figures: Record<string, unknown> }>,
): Promise<void> {
  try {
    const { exitCode, figures } = await tool();
    if (json) print(JSON.stringify({ ok: exitCode === EXIT.ok, ...figures }));
    process.exitCode = exitCode;
  } catch (error) {
    progress(error instanceof Error ? (error.stack ?? error.message) : String(error));
    if (json) print(JSON.stringify({ ok: false, error: String(error) }));
    process.exitCode = EXIT.failed;
  }
}
