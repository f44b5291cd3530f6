import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { EXIT_FAILED } from '@brokerx/infra/runtime/shutdown.ts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { readEnvFile, replaceEnvFile, withMissing } from '../deploy/envFile.ts';
import { type EnvFileOptions, missingInEnvFile, newEnvFile } from '../deploy/newEnvFile.ts';

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
    .option('--file <file>', 'where to; what is in it already is never changed', ENV_FILE)
    .option('--demo', 'with an inbox that anybody may read, and simulated traders', false)
    .addOption(
      new Option('--without <servers...>', 'servers to do without').choices(SERVERS).default([], 'none'),
    )
    .option('--network <numbers>', 'the first three numbers of the services’ network', network, '172.31.250')
    .action((options: MakeEnvOptions, command: Command) => {
      const givenOptions = command.options.filter(
        (option) => command.getOptionValueSource(option.attributeName()) === 'cli',
      );
      makeEnv(
        options,
        givenOptions.flatMap(({ long }) => (long && long !== '--file' ? [long] : [])),
      );
    });
}

function network(text: string): string {
  if (/^\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be three numbers such as 172.31.250.');
}

/** `flags` are those on the command line that concern a new file: an existing one is not changed by them. */
function makeEnv({ file, demo, without, network: numbers }: MakeEnvOptions, flags: readonly string[]): void {
  const servers = SERVERS.filter((server) => !without.includes(server));
  try {
    if (existsSync(file)) {
      addMissing(file);
      if (flags.length > 0)
        say(
          `${flags.join(' and ')} had no effect: ${file} was there. Change it by hand, or give another one with --file.`,
        );
      return;
    }
    writeFileSync(file, newEnvFile({ servers, demo, network: numbers }), { mode: 0o600, flag: 'wx' });
    say(`made ${file}: keep a copy of it in a safe place`);
    if (!demo) say('SMTP_URL is still empty in it: set it before the first deployment');
  } catch (error) {
    say(`brokerx: ${(error as Error).message}`);
    process.exitCode = EXIT_FAILED;
  }
}

/** Adds what a later version needs to an existing file. Its secrets protect data, so they are never replaced. */
function addMissing(file: string): void {
  const settings = readEnvFile(file);
  if (!settings.BROKERX_MASTER_KEY) {
    throw new Error(
      `${file} has no BROKERX_MASTER_KEY: without it no personal data can be read. Put it back from your copy, or move the file away to begin anew.`,
    );
  }
  const { text, added } = withMissing(readFileSync(file, 'utf8'), missingInEnvFile(settings));
  if (added.length === 0) return say(`${file} has everything: nothing is changed`);
  replaceEnvFile(file, text);
  say(`added to ${file}: ${added.join(', ')}; keep a copy of it in a safe place`);
}

const say = (line: string) => void process.stderr.write(`${line}\n`);
