import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Log } from '../runtime/log.ts';

/**
 * Apache Kafka's own jars from Maven Central, resolved once by Maven and kept. That is all that a broker needs beside a
 * Java: no image and no package of a distribution.
 */
export const KAFKA_VERSION = '4.1.0';
/** What this version asks for. */
const JAVA_VERSION_MIN = 17;

/** The repository's own folder for what is not part of it. */
const CACHE = resolve(import.meta.dirname, '../../.brokerx/kafka');

/** The folder of the jars. Throws an `Error` that says what is missing. */
export async function kafkaJars(log: Log, cache: string = CACHE): Promise<string> {
  await assertJava();
  const libs = join(cache, KAFKA_VERSION, 'libs');
  if (existsSync(libs)) return libs;
  await run('mvn', ['-v']).catch((cause: unknown) => {
    throw new Error("Maven, which fetches Kafka's jars, is not installed", { cause });
  });
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'fetching-'));
  try {
    log.info({ version: KAFKA_VERSION }, "Kafka's jars are fetched from Maven Central (43 MB, once)");
    writeFileSync(join(folder, 'pom.xml'), POM);
    await run('mvn', [...COPY_JARS, `-DoutputDirectory=${join(folder, 'libs')}`], {
      cwd: folder,
      timeout: FETCH_MS,
    });
    mkdirSync(dirname(libs), { recursive: true });
    // Another process may have been faster: its folder is the same.
    if (!existsSync(libs)) renameSync(join(folder, 'libs'), libs);
    return libs;
  } catch (cause) {
    const { stdout = '' } = cause as { stdout?: string };
    const said = stdout.split('\n').find((line) => line.includes('ERROR')) ?? String(cause);
    throw new Error(`Kafka's jars could not be fetched from Maven Central: ${said}`, { cause });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function assertJava(): Promise<void> {
  const { stderr } = await run('java', ['-version']).catch((cause: unknown) => {
    throw new Error(`there is no Java ${JAVA_VERSION_MIN} here`, { cause });
  });
  const version = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  if (version < JAVA_VERSION_MIN)
    throw new Error(`Kafka ${KAFKA_VERSION} needs Java ${JAVA_VERSION_MIN}, here is ${version}`);
}

const run = promisify(execFile);
/** A slow line needs some minutes for them. */
const FETCH_MS = 300_000;
const COPY_JARS = ['-B', '-q', 'dependency:copy-dependencies', '-DincludeScope=runtime'];
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>brokerx</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`;
