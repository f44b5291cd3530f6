import { testAddresses } from '../runtime/config.ts';
import type { Log } from '../runtime/log.ts';
import { freePort } from '../runtime/ports.ts';
import { dockerAnswers } from './docker.ts';
import { kafkaBroker } from './kafkaBroker.ts';
import { KAFKA_VERSION, kafkaJars } from './kafkaJars.ts';
import type { NoServer, ServerForTests } from './serverForTests.ts';

/**
 * The Kafka that `KAFKA_BROKERS` names; else one in a container, if Docker answers and can get the image; else one from Maven's
 * artifacts. Also returns the folder of the jars, for tests that stop and kill a broker of their own.
 */
export async function kafkaForTests(
  log: Log,
): Promise<{ server: ServerForTests | NoServer; jars: string | null }> {
  const configured = testAddresses().KAFKA_BROKERS;
  const libs = kafkaJars(log).catch((error: unknown) => error as Error);
  const server =
    (configured ? { address: configured, stop: async () => undefined } : await inContainer(log)) ??
    (await fromJars(await libs, log));
  const jars = await libs;
  return { server, jars: typeof jars === 'string' ? jars : null };
}

async function fromJars(libs: string | Error, log: Log): Promise<ServerForTests | NoServer> {
  try {
    if (libs instanceof Error) throw libs;
    const broker = await kafkaBroker({ libs, log });
    await broker.start();
    return { address: broker.address, stop: broker.remove };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { missing: `${reason}. Install Java 17 and Maven, run Docker, or set KAFKA_BROKERS.` };
  }
}

/** A Kafka in a container; null without a Docker daemon, or if the container does not start. */
async function inContainer(log: Log): Promise<ServerForTests | null> {
  if (!(await dockerAnswers())) return null;
  // Loaded only where it is used: it takes half a second.
  const { GenericContainer, Wait } = await import('testcontainers');
  const port = await freePort();
  try {
    const container = await new GenericContainer(`apache/kafka:${KAFKA_VERSION}`)
      // The broker tells clients its address, so the port is the same inside and outside.
      .withExposedPorts({ container: port, host: port })
      .withEnvironment({
        KAFKA_NODE_ID: '1',
        KAFKA_PROCESS_ROLES: 'broker,controller',
        KAFKA_LISTENERS: `PLAINTEXT://0.0.0.0:${port},CONTROLLER://127.0.0.1:29093`,
        KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
        KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
        KAFKA_INTER_BROKER_LISTENER_NAME: 'PLAINTEXT',
        KAFKA_CONTROLLER_QUORUM_VOTERS: '1@127.0.0.1:29093',
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
        KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
        KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      })
      .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
      .withStartupTimeout(CONTAINER_MS)
      .start();
    return { address: `127.0.0.1:${port}`, stop: async () => void (await container.stop()) };
  } catch (err) {
    const reason = err instanceof Error ? err.message : String(err);
    log.warn(`Docker answers, but Kafka could not be started in a container: ${reason}`);
    return null;
  }
}

/** Milliseconds from the image to a broker that answers. */
const CONTAINER_MS = 120_000;
