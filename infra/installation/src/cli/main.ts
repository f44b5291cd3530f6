#!/usr/bin/env node
import { EXIT_USAGE } from '@brokerx/infra/runtime/config.ts';
import { Command, CommanderError } from 'commander';
import { addDatabase } from './database.ts';
import { addDeploy } from './deploy.ts';
import { addGateway } from './gateway.ts';
import { addMakeEnv } from './makeEnv.ts';
import { addMigrateStore } from './migrateStore.ts';
import { flagsGivenToNpm } from './npmFlags.ts';
import { addPeople } from './people.ts';
import { addServers } from './servers.ts';
import { addStart } from './start.ts';

/** The `brokerx` command. Exit codes: 0 done, 1 failed, 2 used wrongly. */
const originalEnv = { ...process.env };
for (const [name, value] of Object.entries(originalEnv)) {
  // An empty variable counts as not set, even if it belongs to an option.
  if (value === '') delete process.env[name];
}
const program = new Command('brokerx')
  .description('BrokerX, a simulated stock brokerage with its own market, on this machine.')
  .exitOverride();
addStart(program);
addMakeEnv(program);
addDeploy(program);
addGateway(program);
addMigrateStore(program);
addServers(program);
addDatabase(program);
addPeople(program);

try {
  const [, , name, ...rest] = process.argv;
  const command = program.commands.find((one) => one.name() === name);
  const flagsTakenByNpm = command ? flagsGivenToNpm(command, originalEnv) : [];
  if (flagsTakenByNpm.length > 0) {
    const example = [
      'npm',
      originalEnv.npm_lifecycle_event === 'start' ? 'start' : 'run …',
      '--',
      ...flagsTakenByNpm,
      ...rest,
    ].join(' ');
    program.error(
      `error: npm took ${flagsTakenByNpm.join(', ')} for itself: what is for BrokerX goes behind --, as in ${example}`,
    );
  }
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Commander has printed the error. Help that was asked for has exit code 0.
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
}
