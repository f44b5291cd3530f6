import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** The jars of a program, with all jars that they depend on. */
export type Jars = {
  /** The program's name in messages. */
  readonly name: string;
  readonly version: string;
  /** `group:artifact:version` of each jar that is asked for. */
  readonly artifacts: readonly string[];
  /** The folder that keeps the jars, one folder a version. */
  readonly cache: string;
};

/** The Java that all of the programs need at least. */
const JAVA_VERSION_MIN = 17;

/**
 * The folder of the jars, which Maven fetches from Maven Central once. `fetching` is called before that. Throws an
 * `Error` that says what is missing.
 */
export async function mavenJars(
  { name, version, artifacts, cache }: Jars,
  fetching: () => void,
): Promise<string> {
  await assertJava(`${name} ${version}`);
  const libs = join(cache, version, 'libs');
  if (existsSync(libs)) return libs;
  await run('mvn', ['-v']).catch((cause: unknown) => {
    throw new Error(`Maven, which fetches ${name}'s jars, is not installed`, { cause });
  });
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'fetching-'));
  try {
    fetching();
    writeFileSync(join(folder, 'pom.xml'), pomOf(artifacts));
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
    const message = stdout.split('\n').find((line) => line.includes('ERROR')) ?? String(cause);
    throw new Error(`${name}'s jars could not be fetched from Maven Central: ${message}`, { cause });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function assertJava(program: string): Promise<void> {
  const { stderr } = await run('java', ['-version']).catch((cause: unknown) => {
    throw new Error(`there is no Java ${JAVA_VERSION_MIN} here`, { cause });
  });
  const version = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  if (version < JAVA_VERSION_MIN)
    throw new Error(`${program} needs Java ${JAVA_VERSION_MIN}, here is ${version}`);
}

const run = promisify(execFile);
/** Milliseconds for fetching the jars, over a slow line. */
const FETCH_MS = 300_000;
const COPY_JARS = ['-B', '-q', 'dependency:copy-dependencies', '-DincludeScope=runtime'];

function pomOf(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, id, version] = artifact.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${id}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>brokerx</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>${dependencies.join('')}</dependencies>
</project>
`;
}
