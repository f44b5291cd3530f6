import { testAddresses } from '../runtime/config.ts';
import type { Log } from '../runtime/log.ts';
import { dockerAnswers } from './docker.ts';
import type { NoServer, ServerForTests } from './serverForTests.ts';

/**
 * The EventStoreDB or KurrentDB that `EVENTSTORE_URL` names; else one in a container, if a Docker daemon answers and has the
 * image or can get it. Tests never empty it, because they may share it with others.
 */
export async function eventStoreDbForTests(log: Log): Promise<ServerForTests | NoServer> {
  const { EVENTSTORE_URL: configured, EVENTSTORE_IMAGE: image = IMAGE } = testAddresses();
  if (configured) return { address: configured, stop: async () => undefined };
  const missing = (reason: string) => ({
    missing: `${reason} Set EVENTSTORE_URL, or run Docker with the image ${image} (EVENTSTORE_IMAGE names another).`,
  });
  if (!(await dockerAnswers())) return missing('No Docker here.');
  const { GenericContainer, Wait } = await import('testcontainers');
  try {
    const container = await new GenericContainer(image)
      .withEnvironment(environmentOf(image))
      .withExposedPorts(PORT)
      .withWaitStrategy(Wait.forHttp('/health/live', PORT).forStatusCodeMatching((code) => code < 300))
      .withStartupTimeout(START_TIMEOUT_MS)
      .start();
    const address = `esdb://${container.getHost()}:${container.getMappedPort(PORT)}?tls=false`;
    log.info({ image, address }, 'EventStoreDB runs in a container');
    return { address, stop: async () => void (await container.stop()) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return missing(`${image} cannot be run: ${reason.trim()}.`);
  }
}

const IMAGE = 'docker.kurrent.io/kurrent-lts/kurrentdb:latest';
const PORT = 2113;
/** Milliseconds for the start of the container, which may have to fetch the image. */
const START_TIMEOUT_MS = 180_000;
const SETTINGS = { CLUSTER_SIZE: '1', INSECURE: 'true', RUN_PROJECTIONS: 'None' };
/** The image's variables, which were renamed with the product in version 25. */
const environmentOf = (image: string): Record<string, string> => {
  const prefix = /kurrent/i.test(image) ? 'KURRENTDB' : 'EVENTSTORE';
  return Object.fromEntries(Object.entries(SETTINGS).map(([name, value]) => [`${prefix}_${name}`, value]));
};
