import { resolve } from 'node:path';
import type { Log } from '../runtime/log.ts';
import { mavenJars } from './maven/mavenJars.ts';

/**
 * Fetches Apache Kafka's jars from Maven Central by Maven, once, and keeps them. A broker needs nothing else beside Java: no
 * image and no package of a distribution.
 */
export const KAFKA_VERSION = '4.1.0';
const ARTIFACTS = [`org.apache.kafka:kafka_2.13:${KAFKA_VERSION}`, 'org.slf4j:slf4j-simple:1.7.36'];

/** A folder in the repository that is not under version control. */
const CACHE = resolve(import.meta.dirname, '../../.brokerx/kafka');

/** The folder of the jars. Throws an `Error` that says what is missing. */
export const kafkaJars = (log: Log, cache: string = CACHE): Promise<string> =>
  mavenJars({ name: 'Kafka', version: KAFKA_VERSION, artifacts: ARTIFACTS, cache }, () =>
    log.info({ version: KAFKA_VERSION }, "Kafka's jars are fetched from Maven Central (43 MB, once)"),
  );
