import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type EnvFileOptions, newEnvFile } from '../deploy/newEnvFile.ts';
import { EXIT_FAILED } from '../shutdown.ts';

export const ENV_FILE = resolve(import.meta.dirname, '../../.env');

type MakeEnvOptions = {
  file: string;
  demo: boolean;
  without: EnvFileOptions['servers'];
  network: string;
};
const SERVERS = ['kurrentdb', 'kafka', 'redis'] as const;

export function addMakeEnv(program: Command): void {
  program
    .command('make-env')
    .description('Make infra/.env for containers: new secrets, and every setting that people change.')
    .option('--file <file>', 'where to; never overwritten', ENV_FILE)
    .option('--demo', 'with an inbox that anybody may read, and simulated traders', false)
    .addOption(
      new Option('--without <servers...>', 'servers to do without').choices(SERVERS).default([], 'none'),
    )
    .option('--network <numbers>', 'the first three numbers of the services’ network', network, '172.31.250')
    .action(makeEnv);
}

function network(text: string): string {
  if (/^\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be three numbers such as 172.31.250.');
}

function makeEnv({ file, demo, without, network: numbers }: MakeEnvOptions): void {
  const servers = SERVERS.filter((server) => !without.includes(server));
  try {
    writeFileSync(file, newEnvFile({ servers, demo, network: numbers }), { mode: 0o600, flag: 'wx' });
    process.stderr.write(`made ${file}: keep a copy of it in a safe place\n`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === 'EEXIST' ? `${file} exists: its secrets protect data and are not made anew` : message;
    process.stderr.write(`brokerx: ${why}\n`);
    process.exitCode = EXIT_FAILED;
  }
}
