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
const given = { ...process.env };
for (const [name, value] of Object.entries(given)) {
  // A variable set to nothing counts as not set, also where it is an option's.
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
  const lost = command ? flagsGivenToNpm(command, given) : [];
  if (lost.length > 0) {
    const example = [
      'npm',
      given.npm_lifecycle_event === 'start' ? 'start' : 'run …',
      '--',
      ...lost,
      ...rest,
    ].join(' ');
    program.error(
      `error: npm took ${lost.join(', ')} for itself: what is for BrokerX goes behind --, as in ${example}`,
    );
  }
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Commander has said it already; help that was asked for is no mistake.
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
}
