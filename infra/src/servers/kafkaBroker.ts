import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openKafka } from '../kafka/kafka.ts';
import type { Log } from '../runtime/log.ts';
import { mayFail } from '../runtime/mayFail.ts';
import { freePort, LOOPBACK } from '../runtime/ports.ts';
import { realRuntime, sleep } from '../runtime/runtime.ts';
import { cleanUpProcess } from './cleanUpProcess.ts';

/**
 * A temporary Kafka of one broker (KRaft: controller and broker in one process), for tests and drills. It can be stopped, killed
 * and started again on its data, always at the same address. Its process and data are removed when the process that made it
 * ends, even if that one is killed.
 */
export type KafkaBroker = {
  /** `host:port`, the same after every start. */
  readonly address: string;
  readonly folder: string;
  /** The broker's pid; undefined while it does not run. */
  pid(): number | undefined;
  /** Starts the broker on its data, if there are any; resolves when it answers. */
  start(): Promise<void>;
  /** Stops the broker in good order. */
  stop(): Promise<void>;
  /** Kills the broker. */
  kill(): Promise<void>;
  /** Suspends the broker until `resume`: its connections stay open and it answers nothing. */
  pause(): void;
  resume(): void;
  /** Deletes all data, while the broker does not run: the next start is an empty broker. */
  wipe(): void;
  /** Kills the broker and removes its folder. */
  remove(): Promise<void>;
};

/** Prepares a broker without starting it. `libs` is the folder of Kafka's jars. */
export async function kafkaBroker(options: {
  libs: string;
  log: Log;
  /** Changes the usual settings. */
  settings?: (usual: BrokerSettings, folder: string) => BrokerSettings;
}): Promise<KafkaBroker> {
  const { libs, log, settings = (usual) => usual } = options;
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-kafka-'));
  const [port, controllerPort] = [await freePort(), await freePort()];
  const address = `${LOOPBACK}:${port}`;
  const data = join(folder, 'data');
  const properties = join(folder, 'server.properties');
  writeFileSync(properties, asText(settings(usualSettings({ port, controllerPort, data }), folder)));
  const cleanUp = await cleanUpProcess(CLEAN_UP_SCRIPT, [folder]);
  let broker: ChildProcess | null = null;

  const endProcess = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const ending = broker;
    broker = null;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = once(ending, 'exit');
    ending.kill(signal);
    await exited;
  };

  const start = async (): Promise<void> => {
    assert(!broker, 'the broker runs already');
    mkdirSync(data, { recursive: true });
    const java = (main: string) => [...JAVA_OPTIONS, '-cp', join(libs, '*'), main];
    const format = ['format', '--standalone', '--ignore-formatted', '-t', CLUSTER_ID, '-c', properties];
    // Formatting takes a Java process of its own, more than a second, so it is done only once.
    if (!existsSync(join(data, 'meta.properties')))
      await promisify(execFile)('java', [...java('kafka.tools.StorageTool'), ...format]);
    const output = openSync(join(folder, 'broker.log'), 'a');
    const started = spawn('java', [...java('kafka.Kafka'), properties], {
      // Ctrl-C reaches only the process that started the broker, which decides when it ends.
      detached: true,
      cwd: folder,
      stdio: ['ignore', output, output],
    });
    broker = started;
    await once(started, 'spawn');
    writeFileSync(join(folder, 'pid'), String(started.pid));
    await waitUntilReady(address, started, folder);
    log.debug({ broker: address, pid: started.pid }, 'Kafka runs');
  };

  return {
    address,
    folder,
    pid: () => broker?.pid,
    start,
    stop: () => endProcess('SIGTERM'),
    kill: () => endProcess('SIGKILL'),
    pause: () => void broker?.kill('SIGSTOP'),
    resume: () => void broker?.kill('SIGCONT'),
    wipe() {
      assert(!broker, 'a running broker cannot be wiped');
      rmSync(data, { recursive: true, force: true });
    },
    async remove() {
      await endProcess('SIGKILL');
      await cleanUp();
    },
  };
}

/** Milliseconds for a start on a loaded machine; 3 s are usual. */
const START_MS = 180_000;
const READY_POLL_MS = 100;

/** Waits until the broker answers requests: an open port is not enough. */
async function waitUntilReady(address: string, broker: ChildProcess, folder: string): Promise<void> {
  const settings = { brokers: [address], ssl: false, replication: 1 };
  const client = openKafka(settings, { clientId: 'brokerx-start', runtime: realRuntime });
  const deadlineMs = realRuntime.monotonicMs() + START_MS;
  for (;;) {
    const admin = client.kafkajs.admin({ retry: { retries: 0 } });
    try {
      await admin.connect();
      const { brokers } = await admin.describeCluster();
      if (brokers.length > 0) return;
    } catch (cause) {
      const isOver = broker.exitCode !== null || broker.signalCode !== null;
      if (isOver || realRuntime.monotonicMs() > deadlineMs) {
        const lines = readFileSync(join(folder, 'broker.log'), 'utf8').split('\n').slice(-ERROR_LINES_MAX);
        throw new Error(`Kafka did not start: ${lines.join('\n')}`, { cause });
      }
    } finally {
      await mayFail(admin.disconnect(), 'it may never have been connected');
    }
    await sleep(realRuntime, READY_POLL_MS);
  }
}

const ERROR_LINES_MAX = 20;
/** The id of the cluster in the broker's data. Any will do. */
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qk';
/** For few log lines, and a quick start with little memory; the topics of a test are a few MB. */
const JAVA_OPTIONS = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Xmx512m',
  '-Xms128m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
];

export type BrokerSettings = Readonly<Record<string, string | number | boolean>>;

const asText = (settings: BrokerSettings): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');

function usualSettings(given: { port: number; controllerPort: number; data: string }): BrokerSettings {
  const { port, controllerPort, data } = given;
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': `${LOOPBACK}:${controllerPort}`,
    listeners: `PLAINTEXT://${LOOPBACK}:${port},CONTROLLER://${LOOPBACK}:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${LOOPBACK}:${port},CONTROLLER://${LOOPBACK}:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': data,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // A killed broker can come back only after its session: the usual 9 s would be most of a test.
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    'auto.create.topics.enable': false,
    'num.partitions': 1,
    'log.cleaner.dedupe.buffer.size': 2_097_152,
    // Each partition allocates its index files at full size: small ones make many topics cheap.
    'log.index.size.max.bytes': 1_048_576,
  };
}

/** Kills the broker, then removes its data; once more after a second, because it may still have written some. */
const CLEAN_UP_SCRIPT = `
pid=$(cat "$1/pid" 2> /dev/null)
command=$(tr '\\0' ' ' < "/proc/$pid/cmdline" 2> /dev/null || ps -p "$pid" -o command= 2> /dev/null)
case "$command" in *"$1/"*) kill -KILL "$pid" ;; esac
rm -rf "$1" || { sleep 1; rm -rf "$1"; }
`;
