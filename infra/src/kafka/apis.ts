import { createRequire } from 'node:module';

/** The lowest and the highest version that a broker supports, by number of the API. */
export type ApiVersions = Readonly<Record<number, { minVersion: number; maxVersion: number }>>;

/** Kafka cannot be used with this broker or these settings, and no repetition helps. The message says what to do. */
export class KafkaUnusable extends Error {
  override name = 'KafkaUnusable';
  /** kafkajs repeats a call unless its error has this field. */
  readonly retriable = false;
}

/** The APIs that the relay and the readers call. */
const NEEDED_APIS = [
  'ApiVersions',
  'Metadata',
  'Produce',
  'InitProducerId',
  'Fetch',
  'ListOffsets',
  'CreateTopics',
  'DescribeConfigs',
] as const;

/** Throws `KafkaUnusable` if broker and kafkajs have no version of a needed API in common. */
export function assertSupported(broker: ApiVersions): void {
  const { keys, versionsOf } = implementedApis();
  const problems = NEEDED_APIS.flatMap((name) => {
    const implemented = versionsOf(name);
    const offered = broker[keys[name] ?? -1];
    if (!offered) return `${name} is not offered`;
    const { minVersion, maxVersion } = offered;
    if (implemented.some((version) => version >= minVersion && version <= maxVersion)) return [];
    return `${name} is offered in versions ${minVersion} to ${maxVersion}, implemented are ${implemented[0]} to ${implemented.at(-1)}`;
  });
  if (problems.length === 0) return;
  throw new KafkaUnusable(
    `this Kafka broker does not speak what kafkajs speaks: ${problems.join('; ')}. Use a broker between 3.6 and 4.x.`,
  );
}

/** The versions that kafkajs implements, from its own tables. They are loaded here, so that users of `KafkaUnusable` need not. */
function implementedApis() {
  const load = createRequire(import.meta.url);
  const keys = load('kafkajs/src/protocol/requests/apiKeys.js') as Record<string, number>;
  const { requests } = load('kafkajs/src/protocol/requests/index.js') as {
    requests: Record<string, { versions: readonly (string | number)[] }>;
  };
  const versionsOf = (name: string): number[] =>
    (requests[name]?.versions ?? []).map(Number).sort((a, b) => a - b);
  return { keys, versionsOf };
}
