import type { Command } from 'commander';

/**
 * Flags without the `--` before them, as in `npm start --engines 2`, are npm's: it hands them on as variables alone, and
 * BrokerX would start as if nobody had given them. Returns those of this command.
 */
export function flagsGivenToNpm(command: Command, env: NodeJS.ProcessEnv): string[] {
  return command.options
    .filter((option) => !NPMS_OWN.includes(option.name()))
    .filter((option) => env[`npm_config_${option.attributeName().replace(/[A-Z]/g, lowered)}`] !== undefined)
    .map(({ long }) => long ?? '');
}

const lowered = (letter: string) => `_${letter.toLowerCase()}`;
/** Npm has an option of this name, which may be set for all packages. */
const NPMS_OWN: readonly string[] = ['tag'];
