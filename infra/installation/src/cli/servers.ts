import { renameSync, writeFileSync } from 'node:fs';
import { createLog, type Log } from '@brokerx/infra/runtime/log.ts';
import { realRuntime as runtime, sleep } from '@brokerx/infra/runtime/runtime.ts';
import { EXIT_FAILED } from '@brokerx/infra/runtime/shutdown.ts';
import { kafkaBroker } from '@brokerx/infra/servers/kafkaBroker.ts';
import { kafkaJars } from '@brokerx/infra/servers/kafkaJars.ts';
import { hasRedisServer, startTemporaryRedis } from '@brokerx/infra/servers/temporaryRedis.ts';
import type { Command } from 'commander';

/**
 * `brokerx servers`: runs a temporary Kafka and Redis, to try BrokerX with them and for drills that kill them. A server that
 * dies is started again at its address, Kafka with its data, Redis empty.
 */
export function addServers(program: Command): void {
  program
    .command('servers')
    .description(
      'Run a Kafka and a Redis to throw away, and print the variables that switch BrokerX to them; Ctrl-C ends both.',
    )
    .option('--kafka', 'a Kafka of one broker, from its Maven artifacts: needs Java 17 and Maven')
    .option('--redis', 'the redis-server of this machine')
    .option('--status-file <file>', 'keep variables and pids there as JSON')
    .addHelpText('after', '\nWithout --kafka and --redis both are run.')
    .action(run);
}

type Options = { kafka?: boolean; redis?: boolean; statusFile?: string };

type RunningServer = {
  name: 'kafka' | 'redis';
  /** The variable by which BrokerX gets the address. */
  variable: 'KAFKA_BROKERS' | 'REDIS_URL';
  address: string;
  pid(): number | undefined;
  /** Starts the server again after it has died. */
  restart(): Promise<void>;
  remove(): Promise<void>;
};

/** Milliseconds between two checks whether a server has ended; they double while it does not start. */
const CHECK_MS = 100;
const CHECK_MS_MAX = 5_000;

async function run(options: Options): Promise<void> {
  // Standard output is for the variables alone.
  const destination = { write: (line: string) => void process.stderr.write(line) };
  const log = createLog({ name: 'servers', level: 'info', destination });
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort());
  const isNeitherNamed = !options.kafka && !options.redis;
  const servers: RunningServer[] = [];
  const writeStatusFile = () => {
    if (options.statusFile) writeStatus(options.statusFile, servers);
  };
  try {
    if (isNeitherNamed || options.redis) servers.push(await redis());
    if (isNeitherNamed || options.kafka) servers.push(await kafka(log));
    writeStatusFile();
    for (const { variable, address } of servers) process.stdout.write(`export ${variable}=${address}\n`);
    await Promise.all(
      servers.map((server) =>
        keepRunning(server, { log, writeStatusFile: writeStatusFile, stop: stopping.signal }),
      ),
    );
  } catch (error) {
    process.stderr.write(`brokerx: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = EXIT_FAILED;
  } finally {
    await Promise.all(servers.map((server) => server.remove()));
  }
}

async function keepRunning(
  server: RunningServer,
  { log, writeStatusFile, stop }: { log: Log; writeStatusFile: () => void; stop: AbortSignal },
): Promise<void> {
  let failures = 0;
  while (!stop.aborted) {
    await sleep(runtime, Math.min(CHECK_MS * 2 ** failures, CHECK_MS_MAX), stop);
    if (stop.aborted || isAlive(server.pid())) continue;
    if (failures === 0) log.info({ server: server.name }, 'it ended, and is started again');
    writeStatusFile();
    try {
      await server.restart();
      if (failures > 0) log.info({ server: server.name }, 'it runs again');
      failures = 0;
    } catch (err) {
      // The other server goes on.
      if (failures === 0)
        log.warn({ server: server.name, err }, 'it does not start; it is tried again and again');
      failures += 1;
    }
    writeStatusFile();
  }
}

function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function redis(): Promise<RunningServer> {
  if (!hasRedisServer()) {
    throw new Error('there is no redis-server on the PATH: install it (apt-get install redis-server)');
  }
  const server = await startTemporaryRedis();
  return {
    name: 'redis',
    variable: 'REDIS_URL',
    address: server.url,
    pid: server.pid,
    async restart() {
      await server.kill();
      await server.start();
    },
    remove: server.stop,
  };
}

async function kafka(log: Log): Promise<RunningServer> {
  const broker = await kafkaBroker({ libs: await kafkaJars(log), log });
  try {
    await broker.start();
  } catch (error) {
    await broker.remove();
    throw error;
  }
  return {
    name: 'kafka',
    variable: 'KAFKA_BROKERS',
    address: broker.address,
    pid: broker.pid,
    async restart() {
      await broker.kill();
      await broker.start();
    },
    remove: broker.remove,
  };
}

/** Writes variables and pids in one step, so that a reader never gets half of them. A server that is down has no pid. */
function writeStatus(file: string, servers: readonly RunningServer[]): void {
  const pids = servers.flatMap(({ name, pid }) => (isAlive(pid()) ? [[name, pid()] as const] : []));
  const env = servers.map(({ variable, address }) => [variable, address] as const);
  const status = { env: Object.fromEntries(env), pids: Object.fromEntries(pids) };
  writeFileSync(`${file}.new`, `${JSON.stringify(status)}\n`);
  renameSync(`${file}.new`, file);
}
