import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigError, EXIT_USAGE } from '@brokerx/infra/runtime/config.ts';
import { EXIT_FAILED } from '@brokerx/infra/runtime/shutdown.ts';
import type { Command } from 'commander';
import { type ApiRoute, apiRoutes } from '../gateway/apiRoutes.ts';
import { gatewaySettings } from '../gateway/gateway.settings.ts';
import { krakendConfig } from '../gateway/krakend.ts';
import { nginxRoutes } from '../gateway/nginxRoutes.ts';
import { nginxSettings } from '../gateway/nginxSettings.ts';

/** The folder of the repository with the files that every gateway is made from. */
const GATEWAY_FOLDER = resolve(import.meta.dirname, '../../../gateway');
const HANDWRITTEN_FILES = ['nginx.conf', 'forwarded.conf', 'problems.conf'];
const ROUTES_FILE = 'routes.conf';
const KRAKEND_FILE = 'krakend.json';
/** Exit code: a check found a difference. */
const EXIT_DIFFERS = 3;

/** The addresses in `infra/compose.yaml`, for which the committed KrakenD file is made. */
const COMPOSE_VARIABLES = {
  GATEWAY_COMMAND_APIS: 'command-api:8080',
  GATEWAY_QUERY_APIS: 'query-api:8080',
  GATEWAY_CORS_ORIGINS: 'https://trade.brokerx.example',
};

export function addGateway(program: Command): void {
  const gateway = program.command('gateway').description('Make the configuration of the gateway.');
  gateway
    .command('config')
    .description('Write the whole configuration of nginx into a folder, from the variables GATEWAY_*.')
    .requiredOption('--out <folder>', 'where to; made when absent')
    .action(writeConfig);
  withApiOptions(gateway.command('krakend'))
    .description(
      'Write a configuration of KrakenD, from the variables GATEWAY_* and the APIs’ OpenAPI documents.',
    )
    .requiredOption('--out <file>', 'where to')
    .action(writeKrakend);
  withApiOptions(gateway.command('routes'))
    .description('Make routes.conf and krakend.json anew from the APIs’ OpenAPI documents.')
    .option('--check', 'write nothing; exit with 3 when the files are not what would be written', false)
    .action(makeRoutes);
}

const withApiOptions = (command: Command) =>
  command
    .option('--command <address>', 'where command-api answers', 'http://127.0.0.1:8001')
    .option('--query <address>', 'where query-api answers', 'http://127.0.0.1:8002');

function writeConfig({ out }: { out: string }): void {
  try {
    const settings = gatewaySettings();
    mkdirSync(out, { recursive: true });
    for (const name of [...HANDWRITTEN_FILES, ROUTES_FILE])
      copyFileSync(join(GATEWAY_FOLDER, name), join(out, name));
    for (const [name, text] of Object.entries(nginxSettings(settings))) writeFileSync(join(out, name), text);
    process.stderr.write(`the gateway's configuration is in ${out}: nginx -c ${join(out, 'nginx.conf')}\n`);
  } catch (error) {
    reportFailure(error);
  }
}

function reportFailure(error: unknown): void {
  process.stderr.write(`brokerx: ${(error as Error).message}\n`);
  process.exitCode = error instanceof ConfigError ? EXIT_USAGE : EXIT_FAILED;
}

type Apis = { command: string; query: string };
type RoutesOptions = Apis & { check: boolean };

async function writeKrakend({ out, ...apis }: Apis & { out: string }): Promise<void> {
  try {
    writeFileSync(out, krakendConfig(await routesOf(apis), gatewaySettings()));
    process.stderr.write(`KrakenD's configuration is in ${out}: USAGE_DISABLE=1 krakend run -c ${out}\n`);
  } catch (error) {
    reportFailure(error);
  }
}

const routesOf = async ({ command, query }: Apis): Promise<ApiRoute[]> =>
  apiRoutes({ command: await documentOf(command), query: await documentOf(query) });

async function makeRoutes({ check, ...apis }: RoutesOptions): Promise<void> {
  let routes: ApiRoute[];
  try {
    routes = await routesOf(apis);
  } catch (error) {
    return reportFailure(error);
  }
  const files = {
    [ROUTES_FILE]: nginxRoutes(routes),
    [KRAKEND_FILE]: krakendConfig(routes, gatewaySettings(COMPOSE_VARIABLES)),
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(GATEWAY_FOLDER, name);
    if (!check) writeFileSync(path, text);
    else if (readFileSync(path, 'utf8') !== text) {
      process.stderr.write(
        `brokerx: infra/gateway/${name} is not what the APIs serve now. Start BrokerX and run: npm run brokerx -- gateway routes\n`,
      );
      process.exitCode = EXIT_DIFFERS;
    }
  }
}

async function documentOf(address: string): Promise<unknown> {
  const url = new URL('/openapi.json', address);
  const reply = await fetch(url).catch((cause: unknown) => {
    throw new Error(`${url} does not answer: start BrokerX first`, { cause });
  });
  if (!reply.ok) throw new Error(`${url} answered ${reply.status}`);
  return reply.json();
}
