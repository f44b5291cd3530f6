import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EmbeddedPostgresError } from '@brokerx/infra/postgres/failure.ts';
import { createLog, LOG_LEVELS, type LogLevel } from '@brokerx/infra/runtime/log.ts';
import { MODES, type Mode } from '@brokerx/infra/runtime/mode.ts';
import { PORT_MAX } from '@brokerx/infra/runtime/ports.ts';
import {
  EXIT_FAILED,
  EXIT_INTERRUPTED,
  SIGNAL_REPEAT_MS,
  StartRefused,
} from '@brokerx/infra/runtime/shutdown.ts';
import { wholeNumber } from '@brokerx/infra/runtime/wholeNumber.ts';
import { type Command, Option } from 'commander';
import { type Installation, startInstallation } from '../supervise/installation.ts';
import { INSTANCES_MAX } from '../supervise/instances.ts';
import { asJsonLine, renderLine } from '../supervise/logRendering.ts';
import { killRecorded } from '../supervise/runFile.ts';
import { banner, readyFields } from './banner.ts';

type StartOptions = {
  data: string;
  commandPort: number;
  queryPort: number;
  ports?: 'free';
  mode: Mode;
  commandApis: number;
  engines: number;
  projectors: number;
  queryApis: number;
  traders: boolean;
  jsonLogs: boolean;
  jsonStatus: boolean;
  statusFile?: string;
};

const ROOT = resolve(import.meta.dirname, '../../../..');

/** `brokerx start`: runs the database and all services in this terminal. */
export function addStart(program: Command): void {
  program
    .command('start')
    .description('Start the database and all services; Ctrl-C stops them.')
    .addOption(
      new Option('--data <folder>', 'where everything is kept').env('BROKERX_DATA').default('.brokerx'),
    )
    .addOption(apiPort('--command-port <port>', 'port of command-api', 'COMMAND_API_PORT', 8001))
    .addOption(apiPort('--query-port <port>', 'port of query-api', 'QUERY_API_PORT', 8002))
    .addOption(instances('--command-apis <n>', 'command-apis', 'BROKERX_COMMAND_APIS'))
    .addOption(instances('--engines <n>', 'matching engines, which share the symbols', 'BROKERX_ENGINES'))
    .addOption(instances('--projectors <n>', 'projectors, which share the read models', 'BROKERX_PROJECTORS'))
    .addOption(instances('--query-apis <n>', 'query-apis', 'BROKERX_QUERY_APIS'))
    .addOption(new Option('--ports <which>', 'take any free ports').choices(['free']))
    .addOption(
      new Option('--mode <mode>', 'production: without inbox, passcodes in the log and simulated traders')
        .env('BROKERX_MODE')
        .choices(MODES)
        .default('development'),
    )
    .option('--no-traders', 'do not run the simulated traders')
    .option('--json-logs', 'logs as JSON lines, and nothing else; no secret is among them', false)
    .option(
      '--json-status',
      'when ready, print one JSON line on standard output and nothing else there',
      false,
    )
    .option('--status-file <file>', 'when ready, write the same JSON to this file')
    .action(start);
}

const apiPort = (flags: string, what: string, variable: string, value: number) =>
  new Option(flags, what).env(variable).default(value).argParser(wholeNumber(1, PORT_MAX));

const instances = (flags: string, what: string, variable: string) =>
  new Option(flags, `how many ${what}`).env(variable).default(1).argParser(wholeNumber(1, INSTANCES_MAX));

async function start(options: StartOptions): Promise<void> {
  const color = process.stderr.isTTY === true && !process.env.NO_COLOR;
  const onLine = (service: string, line: string) => {
    process.stderr.write(
      `${options.jsonLogs ? asJsonLine(service, line) : renderLine(service, line, color)}\n`,
    );
  };
  const log = createLog({
    name: 'brokerx',
    level: logLevel(),
    destination: { write: (line: string) => onLine('brokerx', line.trimEnd()) },
  });
  const dataDir = resolve(options.data);
  const { commandApis, engines, projectors, queryApis, mode } = options;
  const traders = options.traders && mode === 'development';
  const interrupted = interruption(dataDir);
  let installation: Installation;
  try {
    installation = await startInstallation({
      dataDir,
      root: ROOT,
      ports: options.ports ?? { command: options.commandPort, query: options.queryPort },
      counts: { commandApis, engines, projectors, queryApis },
      mode,
      traders,
      env: process.env,
      log,
      onLine,
      signal: interrupted,
    });
  } catch (error) {
    const isExplained = error instanceof StartRefused || error instanceof EmbeddedPostgresError;
    const text = isExplained
      ? error.message
      : error instanceof Error
        ? (error.stack ?? error.message)
        : String(error);
    if (options.jsonLogs) log.fatal(text);
    else process.stderr.write(`brokerx: ${text}\n`);
    process.exit(interrupted.aborted ? EXIT_INTERRUPTED : EXIT_FAILED);
  }
  const { status } = installation;
  const json = JSON.stringify(status);
  if (options.statusFile) writeFileSync(options.statusFile, `${json}\n`, { mode: 0o600 });
  const passphraseAt = process.env.OPERATOR_PASSWORD ? 'OPERATOR_PASSWORD' : join(dataDir, 'secrets.json');
  // Output that goes to no terminal is stored somewhere. In development, passcodes and passwords are stored there anyway.
  const isShown = process.stdout.isTTY === true || mode === 'development';
  if (options.jsonLogs) log.info(readyFields(status, traders, passphraseAt), 'BrokerX is ready');
  if (options.jsonStatus) process.stdout.write(`${json}\n`);
  else if (!options.jsonLogs)
    process.stdout.write(banner(status, { traders, passphraseAt: isShown ? null : passphraseAt }));
  if (!interrupted.aborted) {
    await new Promise<void>((done) => interrupted.addEventListener('abort', () => done(), { once: true }));
  }
  log.info('stopping');
  await installation.stop();
  const isDataThere = existsSync(dataDir);
  if (isDataThere) log.info('stopped; everything is kept');
  else log.error(`stopped; ${dataDir} was deleted meanwhile: what it held is lost`);
  process.exit(isDataThere ? 0 : EXIT_FAILED);
}

/** Aborted by the first signal, or when nothing reads our output any more. A second signal kills all processes. */
function interruption(dataDir: string): AbortSignal {
  const controller = new AbortController();
  let firstMs = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!controller.signal.aborted) {
        firstMs = performance.now();
        controller.abort();
      } else if (performance.now() - firstMs > SIGNAL_REPEAT_MS) {
        killRecorded(dataDir);
        process.exit(EXIT_FAILED);
      }
    });
  }
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', ({ code = '' }: NodeJS.ErrnoException) => {
      if (!DISK_FULL_CODES.includes(code)) controller.abort();
    });
  }
  return controller.signal;
}

/** Errors of writing to a full disk: the log has gaps then, which is no reason to stop. */
const DISK_FULL_CODES: readonly string[] = ['ENOSPC', 'EDQUOT'];

function logLevel(): LogLevel {
  const configured = process.env.LOG_LEVEL;
  return LOG_LEVELS.find((level) => level === configured) ?? 'info';
}
