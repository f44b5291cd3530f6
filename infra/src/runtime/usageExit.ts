import type { CommanderError } from 'commander';
import { EXIT_USAGE } from './config.ts';

/** Exits after Commander printed its message: with `EXIT_USAGE` for a wrong call, with 0 where help was requested. */
export const usageExit = (error: CommanderError): never =>
  process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE);
