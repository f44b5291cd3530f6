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
import { undertaker } from './undertaker.ts';

/**
 * A Kafka of one broker (KRaft: controller and broker in one process) to throw away, for tests and drills: it can be
 * stopped, killed and started again on its data, always at the same address. Data and process go with whoever made it,
 * also when that one is killed.
 */
export type KafkaBroker = {
  /** `host:port`, the same after every start. */
  readonly address: string;
  readonly folder: string;
  /** Undefined while it does not run. */
  pid(): number | undefined;
  /** Starts it on the data that is there, or as an empty one; resolves when it answers. */
  start(): Promise<void>;
  /** Asks it to end well. */
  stop(): Promise<void>;
  /** Ends it without warning. */
  kill(): Promise<void>;
  /** Stops what it is doing until `resume`: connections stay open and nothing is answered. */
  pause(): void;
  resume(): void;
  /** Forgets all data: the next start is an empty broker. Only while it does not run. */
  wipe(): void;
  /** Ends it and removes everything. */
  remove(): Promise<void>;
};

/** It is not started yet. `libs` is the folder of Kafka's jars. */
export async function kafkaBroker(options: {
  libs: string;
  log: Log;
  /** Its settings, made from the usual ones. */
  settings?: (usual: BrokerSettings, folder: string) => BrokerSettings;
}): Promise<KafkaBroker> {
  const { libs, log, settings = (usual) => usual } = options;
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-kafka-'));
  const [port, controllerPort] = [await freePort(), await freePort()];
  const address = `${LOOPBACK}:${port}`;
  const data = join(folder, 'data');
  const properties = join(folder, 'server.properties');
  writeFileSync(properties, asText(settings(usualSettings({ port, controllerPort, data }), folder)));
  const bury = await undertaker(burial, [folder]);
  let process: ChildProcess | null = null;

  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const ending = process;
    process = null;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = once(ending, 'exit');
    ending.kill(signal);
    await ended;
  };

  const start = async (): Promise<void> => {
    assert(!process, 'the broker runs already');
    mkdirSync(data, { recursive: true });
    const java = (main: string) => ['-cp', join(libs, '*'), main];
    const format = ['format', '--standalone', '--ignore-formatted', '-t', CLUSTER_ID, '-c', properties];
    // A Java of its own for what is done already would cost a second and more.
    if (!existsSync(join(data, 'meta.properties')))
      await promisify(execFile)('java', [...QUIET, ...SMALL, ...java('kafka.tools.StorageTool'), ...format]);
    const output = openSync(join(folder, 'broker.log'), 'a');
    const started = spawn('java', [...QUIET, ...SMALL, ...java('kafka.Kafka'), properties], {
      // Ctrl-C reaches only the process that started the broker, which decides when it ends.
      detached: true,
      cwd: folder,
      stdio: ['ignore', output, output],
    });
    process = started;
    await once(started, 'spawn');
    writeFileSync(join(folder, 'pid'), String(started.pid));
    await answers(address, started, folder);
    log.debug({ broker: address, pid: started.pid }, 'Kafka runs');
  };

  return {
    address,
    folder,
    pid: () => process?.pid,
    start,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    pause: () => void process?.kill('SIGSTOP'),
    resume: () => void process?.kill('SIGCONT'),
    wipe() {
      assert(!process, 'a running broker cannot be wiped');
      rmSync(data, { recursive: true, force: true });
    },
    async remove() {
      await end('SIGKILL');
      await bury();
    },
  };
}

/** Milliseconds for a start on a loaded machine; 3 s are usual. */
const START_MS = 60_000;
const LOOK_AGAIN_MS = 100;

/** Waits until it answers as a broker: an open port is not enough. */
async function answers(address: string, broker: ChildProcess, folder: string): Promise<void> {
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
        const lines = readFileSync(join(folder, 'broker.log'), 'utf8').split('\n').slice(-LAST_LINES);
        throw new Error(`Kafka did not start: ${lines.join('\n')}`, { cause });
      }
    } finally {
      await mayFail(admin.disconnect(), 'it may never have been connected');
    }
    await sleep(realRuntime, LOOK_AGAIN_MS);
  }
}

const LAST_LINES = 20;
/** Any: a broker's data says which cluster it belongs to. */
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qk';
const QUIET = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
/** Small and quick to start; the topics of a test are a few MB. */
const SMALL = ['-Xmx512m', '-Xms128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

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
    // A killed broker may come back when its session is over: the usual 9 s would be most of a test.
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    'auto.create.topics.enable': false,
    'num.partitions': 1,
    'log.cleaner.dedupe.buffer.size': 2_097_152,
    // Index files are set aside at their full size for each partition: small ones make many topics cheap.
    'log.index.size.max.bytes': 1_048_576,
  };
}

/** The broker goes before its data; what it may still have written a moment later goes too. */
const burial = `
pid=$(cat "$1/pid" 2> /dev/null)
command=$(tr '\\0' ' ' < "/proc/$pid/cmdline" 2> /dev/null || ps -p "$pid" -o command= 2> /dev/null)
case "$command" in *"$1/"*) kill -KILL "$pid" ;; esac
rm -rf "$1" || { sleep 1; rm -rf "$1"; }
`;
