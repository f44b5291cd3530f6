import type { Command } from 'commander';

/**
 * The flags of this command that npm has taken for itself. npm takes flags without `--` before them, as in
 * `npm start --engines 2`, and passes them on as variables alone, so that BrokerX would start as if they were absent.
 */
export function flagsGivenToNpm(command: Command, env: NodeJS.ProcessEnv): string[] {
  return command.options
    .filter((option) => !NPM_OPTIONS.includes(option.name()))
    .filter((option) => env[`npm_config_${option.attributeName().replace(/[A-Z]/g, lowered)}`] !== undefined)
    .map(({ long }) => long ?? '');
}

const lowered = (letter: string) => `_${letter.toLowerCase()}`;
/** npm has options with these names of its own, which may be set for all packages. */
const NPM_OPTIONS: readonly string[] = ['tag'];
