import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { createLog } from '../runtime/log.ts';
import { errorsHeardElsewhere } from '../runtime/mayFail.ts';
import { freePort, LOOPBACK } from '../runtime/ports.ts';
import { type Runtime, realRuntime } from '../runtime/runtime.ts';
import { kafkaBroker } from '../servers/kafkaBroker.ts';
import { KafkaUnusable } from './apis.ts';
import { openKafka } from './kafka.ts';
import type { OutgoingMessage } from './producer.ts';

const brokers = inject('kafkaBrokers') ?? '';
const jars = inject('kafkaJars') ?? '';
const log = createLog({ name: 'test-kafka', level: 'silent' });
const never = new AbortController().signal;

const kafkaAt = (address: string, { replication = 1, runtime = realRuntime as Runtime } = {}) =>
  openKafka({ brokers: address.split(','), ssl: false, replication }, { clientId: 'test', log, runtime });

let topics = 0;
/** A topic of this test's own, made at once. */
async function topicAt(address: string, partitions: number) {
  const topic = { name: `test-${process.pid}-${realRuntime.nowMs()}-${++topics}`, partitions };
  const kafka = kafkaAt(address);
  await kafka.prepareTopics([topic]);
  onTestFinished(async () => {
    const admin = kafka.kafkajs.admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic.name] });
    await admin.disconnect();
  });
  return { kafka, topic };
}

const message = (partition: number, value: string): OutgoingMessage => ({
  partition,
  key: 'k',
  value,
  headers: { type: 'test' },
  timestamp: '1767623400000',
});

describe.runIf(brokers !== '')('the Kafka client', () => {
  test('topics are made by whoever comes first, with the partitions stated, and never lose their newest messages to time', async () => {
    const topic = { name: `test-${process.pid}-made`, partitions: 5 };
    const kafka = kafkaAt(brokers);
    const prepared = await Promise.all(
      Array.from({ length: 4 }, () => kafkaAt(brokers).prepareTopics([topic])),
    );
    expect(new Set(prepared.map(({ messageBytesMax }) => messageBytesMax))).toEqual(new Set([2_097_152]));
    const admin = kafka.kafkajs.admin();
    await admin.connect();
    const names = ['cleanup.policy', 'retention.ms', 'retention.bytes', 'min.insync.replicas'];
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: topic.name, configNames: names }],
    });
    const entries = resources[0]?.configEntries.map(({ configName, configValue }) => [
      configName,
      configValue,
    ]);
    expect(Object.fromEntries(entries ?? [])).toEqual({
      'cleanup.policy': 'delete',
      'retention.ms': '-1',
      'retention.bytes': '268435456',
      'min.insync.replicas': '1',
    });
    const metadata = await admin.fetchTopicMetadata({ topics: [topic.name] });
    expect(metadata.topics[0]?.partitions).toHaveLength(5);

    const other = kafka.prepareTopics([{ ...topic, partitions: 6 }]);
    await expect(other).rejects.toThrow(KafkaUnusable);
    await expect(other).rejects.toThrow(/has 5 partitions and must have 6.*delete the topic and start again/);
    await admin.deleteTopics({ topics: [topic.name] });
    await admin.disconnect();
  });

  test('more copies than brokers are refused with what to set', async () => {
    const kafka = kafkaAt(brokers, { replication: 9 });
    const refused = kafka.prepareTopics([{ name: `test-${process.pid}-copies`, partitions: 1 }]);
    await expect(refused).rejects.toThrow(KafkaUnusable);
    await expect(refused).rejects.toThrow('fewer than 9 brokers: add some, or set KAFKA_REPLICATION lower');
  });

  test('what was sent is read from the offset on, by partition in order', async () => {
    const { kafka, topic } = await topicAt(brokers, 3);
    const producer = await kafka.producer(never);
    const all = Array.from({ length: 40 }, (_, i) => message(i % 2, `value ${i}`));
    for (let i = 0; i < all.length; i += 8) await producer.send(new Map([[topic.name, all.slice(i, i + 8)]]));
    const fetcher = await kafka.fetcher([topic]);
    const bounds = await fetcher.bounds([topic]);
    expect(bounds.map(({ partition, first, next }) => [partition, first, next])).toEqual([
      [0, 0n, 20n],
      [1, 0n, 20n],
      [2, 0n, 0n],
    ]);
    // In the middle of what was sent together: a broker gives more, a reader does not get it.
    const places = [0, 1, 2].map((partition) => ({
      topic: topic.name,
      partition,
      offset: partition === 2 ? 0n : 18n,
    }));
    const read = await fetcher.fetch(places, { waitMs: 500, bytesMax: 1_000_000 });
    const messages = read.flatMap(({ partition, messages: some }) =>
      some.map(({ offset, value, key, headers, timestampMs }) => ({
        partition,
        offset,
        headers,
        timestampMs,
        text: `${key} ${value}`,
      })),
    );
    const rest = { headers: { type: 'test' }, timestampMs: 1_767_623_400_000 };
    expect(messages.toSorted((a, b) => a.partition - b.partition)).toEqual([
      { partition: 0, offset: 18n, text: 'k value 36', ...rest },
      { partition: 0, offset: 19n, text: 'k value 38', ...rest },
      { partition: 1, offset: 18n, text: 'k value 37', ...rest },
      { partition: 1, offset: 19n, text: 'k value 39', ...rest },
    ]);

    const waiting = fetcher.fetch([{ topic: topic.name, partition: 2, offset: 0n }], {
      waitMs: 20_000,
      bytesMax: 1_000,
    });
    await producer.send(new Map([[topic.name, [message(2, 'late')]]]));
    expect((await waiting)[0]?.messages.map(({ value }) => String(value))).toEqual(['late']);
    await expect(
      fetcher.fetch([{ topic: topic.name, partition: 2, offset: 7n }], { waitMs: 100, bytesMax: 1_000 }),
    ).rejects.toMatchObject({ type: 'OFFSET_OUT_OF_RANGE' });
    await Promise.all([producer.close(), fetcher.close()]);
  });

  test('a producer takes a new identity before the brokers forget the old one', async () => {
    const { topic } = await topicAt(brokers, 1);
    let aheadMs = 0;
    const runtime = { ...realRuntime, monotonicMs: () => realRuntime.monotonicMs() + aheadMs };
    const kafka = kafkaAt(brokers, { runtime });
    const producer = await kafka.producer(never);
    for (const value of ['one', 'two', 'after half a day', 'after a day']) {
      if (value.startsWith('after')) aheadMs += 13 * 3_600_000;
      await producer.send(new Map([[topic.name, [message(0, value)]]]));
    }
    await producer.close();
    const fetcher = await kafka.fetcher([topic]);
    const [read] = await fetcher.fetch([{ topic: topic.name, partition: 0, offset: 0n }], {
      waitMs: 500,
      bytesMax: 1_000_000,
    });
    await fetcher.close();
    expect(read?.messages.map(({ value }) => String(value))).toEqual([
      'one',
      'two',
      'after half a day',
      'after a day',
    ]);
  });

  test('nothing is sent once it is over, and nothing waited for', async () => {
    const { kafka, topic } = await topicAt(brokers, 1);
    const over = new AbortController();
    const producer = await kafka.producer(over.signal);
    over.abort();
    await expect(producer.send(new Map([[topic.name, [message(0, 'late')]]]))).rejects.toThrow('abort');
    await producer.close();
    const fetcher = await kafka.fetcher([topic]);
    expect(await fetcher.bounds([topic])).toEqual([{ topic: topic.name, partition: 0, first: 0n, next: 0n }]);
    await fetcher.close();
  });
});

test('a broker of the future is refused with the first connection, not repeated and not mistaken for one that is away', async () => {
  let connections = 0;
  const broker = createServer((socket) => {
    connections += 1;
    errorsHeardElsewhere(socket);
    socket.on('data', (request: Buffer) => socket.write(offeringFetchOf(15, 21, request)));
  });
  await new Promise<void>((resolve) => broker.listen(0, LOOPBACK, resolve));
  onTestFinished(() => void broker.close());
  const { port } = broker.address() as { port: number };
  const refused = await kafkaAt(`${LOOPBACK}:${port}`)
    .prepareTopics([{ name: 'x', partitions: 1 }])
    .catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(KafkaUnusable);
  expect(String(refused)).toContain('Fetch is offered in versions 15 to 21, implemented are 0 to 11');
  expect(connections).toBe(1);
});

/** ApiVersions response v2: size, correlation id, error, array of (key, lowest, highest), throttle time. */
function offeringFetchOf(lowest: number, highest: number, request: Buffer): Buffer {
  const reply = Buffer.alloc(4 + 4 + 2 + 4 + 6 + 4);
  reply.writeInt32BE(reply.length - 4, 0);
  reply.writeInt32BE(request.readInt32BE(8), 4);
  reply.writeInt32BE(1, 10);
  reply.writeInt16BE(1, 14);
  reply.writeInt16BE(lowest, 16);
  reply.writeInt16BE(highest, 18);
  return reply;
}

describe.runIf(jars !== '')('a Kafka that wants to know who comes', () => {
  test('is signed in to over TLS, and a wrong password is said to be one', { timeout: 120_000 }, async () => {
    const port = await freePort();
    const certificate = (folder: string) => join(folder, 'certificate.pem');
    const broker = await kafkaBroker({
      libs: jars,
      log,
      settings: (usual, folder) => ({
        ...usual,
        listeners: `${usual.listeners},SASL_SSL://${LOOPBACK}:${port}`,
        'advertised.listeners': `${usual['advertised.listeners']},SASL_SSL://${LOOPBACK}:${port}`,
        'listener.security.protocol.map': `${usual['listener.security.protocol.map']},SASL_SSL:SASL_SSL`,
        'sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.sasl_ssl.plain.sasl.jaas.config':
          'org.apache.kafka.common.security.plain.PlainLoginModule required user_brokerx="right";',
        'ssl.keystore.type': 'PKCS12',
        'ssl.keystore.location': join(folder, 'keys.p12'),
        'ssl.keystore.password': 'secret-of-the-test',
      }),
    });
    onTestFinished(() => broker.remove());
    const keytool = (...args: string[]) =>
      promisify(execFile)('keytool', [
        ...args,
        '-alias',
        'broker',
        '-keystore',
        join(broker.folder, 'keys.p12'),
        '-storepass',
        'secret-of-the-test',
      ]);
    const names = ['-dname', 'CN=broker', '-ext', `san=ip:${LOOPBACK}`];
    await keytool('-genkeypair', '-keyalg', 'EC', '-storetype', 'PKCS12', ...names);
    await keytool('-exportcert', '-rfc', '-file', certificate(broker.folder));
    await broker.start();

    const userWith = async (env: NodeJS.ProcessEnv) => {
      const script = fileURLToPath(new URL('../../test/kafkaUser.ts', import.meta.url));
      const common = {
        PATH: process.env.PATH,
        DATABASE_URL: 'postgres://unused',
        KAFKA_BROKERS: `${LOOPBACK}:${port}`,
      };
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [script], {
        env: { ...common, NODE_EXTRA_CA_CERTS: certificate(broker.folder), KAFKA_SSL: 'true', ...env },
      });
      return { stdout: stdout.trim(), stderr };
    };
    const credentials = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_USERNAME: 'brokerx', KAFKA_PASSWORD: 'right' };
    expect(await userWith(credentials)).toEqual({ stdout: 'ok', stderr: '' });
    const wrong = await userWith({ ...credentials, KAFKA_PASSWORD: 'wrong' });
    expect(wrong.stdout).toMatch(/does not let this user in\. Check KAFKA_SASL_MECHANISM/);
    const stranger = await userWith({ ...credentials, NODE_EXTRA_CA_CERTS: '' });
    expect(stranger.stdout).toMatch(/an authority that is not known here/);
  });
});
