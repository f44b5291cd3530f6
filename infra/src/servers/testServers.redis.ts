import { setTimeout as delay } from 'node:timers/promises';
import { testAddresses } from '../runtime/config.ts';
import type { Log } from '../runtime/log.ts';
import { heardElsewhere } from '../runtime/mayFail.ts';
import { dockerAnswers } from './docker.ts';
import type { NoServer, ServerForTests } from './serverForTests.ts';
import { hasRedisServer, startTemporaryRedis } from './temporaryRedis.ts';

/**
 * The Redis that `REDIS_URL` names; else one in a container, if a Docker daemon answers and can get the image; else a
 * `redis-server` of the machine.
 */
export async function redisForTests(log: Log): Promise<ServerForTests | NoServer> {
  const canBeKilled = hasRedisServer();
  const server = (await configuredOrContainer(log)) ?? (canBeKilled ? await startLocal() : null);
  if (!server) {
    return {
      missing: 'Set REDIS_URL, start Docker, or install redis-server (apt-get install redis-server).',
    };
  }
  if (!canBeKilled) {
    process.stderr.write(
      '\nNO redis-server ON THE PATH: tests that kill, flush or set one up are skipped.\n\n',
    );
  }
  return server;
}

async function configuredOrContainer(log: Log): Promise<ServerForTests | null> {
  const configured = testAddresses().REDIS_URL;
  if (configured) return { address: configured, stop: async () => undefined };
  if (!(await dockerAnswers())) return null;
  try {
    return await inContainer();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ reason }, `Docker answers, but a Redis of the image ${IMAGE} could not be started`);
    return null;
  }
}

const IMAGE = 'redis:7.2-alpine';
const REDIS_PORT = 6379;
/** Milliseconds for the start of the container, which may have to fetch the image. */
const CONTAINER_START_TIMEOUT_MS = 120_000;

async function inContainer(): Promise<ServerForTests> {
  const { GenericContainer } = await import('testcontainers');
  const starting = new GenericContainer(IMAGE)
    .withCommand(['redis-server', '--save', '', '--maxmemory-policy', 'noeviction'])
    .withExposedPorts(REDIS_PORT)
    .start();
  const timeUp = delay(CONTAINER_START_TIMEOUT_MS, null, { ref: false });
  const container = await Promise.race([starting, timeUp]);
  if (!container) {
    heardElsewhere(starting.then((it) => it.stop()));
    throw new Error(`not started within ${CONTAINER_START_TIMEOUT_MS} ms`);
  }
  return {
    address: `redis://${container.getHost()}:${container.getMappedPort(REDIS_PORT)}`,
    stop: async () => void (await container.stop()),
  };
}

async function startLocal(): Promise<ServerForTests> {
  const server = await startTemporaryRedis();
  return { address: server.url, stop: server.stop };
}
