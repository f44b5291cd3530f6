import { join, resolve } from 'node:path';
import { mavenJars } from '@brokerx/infra/servers/maven/mavenJars.ts';

/**
 * The order book of exchange-core, a matching engine in Java, as a contender of `bench:engine`. `ExchangeCore.java` applies
 * the rows to it, in one thread of a Java process.
 */
export const EXCHANGE_CORE = 'exchange-core';
const VERSION = '0.5.3';
const ARTIFACTS = [`exchange.core2:exchange-core:${VERSION}`, 'org.slf4j:slf4j-nop:1.7.30'];
const CACHE = resolve(import.meta.dirname, '../.brokerx/exchange-core');

/** What is good for it: room that is there from the beginning, on large pages, and the collector for throughput. */
const FLAGS = [
  '-Xms2g',
  '-Xmx2g',
  '-XX:+AlwaysPreTouch',
  '-XX:+UseTransparentHugePages',
  '-XX:+UseParallelGC',
];

/** The folder of its jars. Throws an `Error` that says what is missing. */
export const exchangeCoreJars = (): Promise<string> =>
  mavenJars({ name: EXCHANGE_CORE, version: VERSION, artifacts: ARTIFACTS, cache: CACHE }, () =>
    process.stderr.write(`${EXCHANGE_CORE} ${VERSION} is fetched from Maven Central (once)\n`),
  );

/** The arguments for `java`, which compiles the source itself. */
export function exchangeCoreArgs(
  jars: string,
  flow: string,
  file: string,
  build: number,
  ms: number,
): string[] {
  const source = join(import.meta.dirname, 'ExchangeCore.java');
  return [...FLAGS, '-cp', join(jars, '*'), source, flow, file, String(build), String(ms)];
}
