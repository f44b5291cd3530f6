import type { CommanderError } from 'commander';
import { EXIT_USAGE } from '../config.ts';

/** Ends a tool that was called wrongly, after Commander has printed the reason. Asking for help is no mistake. */
export const usageExit = (error: CommanderError): never =>
  process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE);
