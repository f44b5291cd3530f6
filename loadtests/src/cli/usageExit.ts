import type { CommanderError } from 'commander';
import { EXIT_USAGE } from '../config.ts';

/** How a tool that was called wrongly ends; help that was asked for is no mistake. Commander has said it already. */
export const usageExit = (error: CommanderError): never =>
  process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE);
