import { resolve } from 'node:path';
import { ConfigError, EXIT_USAGE, loadConfig, sharedVariables } from '@brokerx/infra/runtime/config.ts';
import { createLog } from '@brokerx/infra/runtime/log.ts';
import { EXIT_FAILED, StartRefused } from '@brokerx/infra/runtime/shutdown.ts';
import { parseMasterKey } from '@brokerx/infra/vault/sealing.ts';
import type { Command } from 'commander';
import { z } from 'zod';
import {
  DATABASE_SERVICES,
  type DatabaseService,
  databaseOf,
  type RolePasswords,
  rolePasswords,
  rolesSql,
  schemasKeptIn,
} from '../database/databaseRoles.ts';
import { prepareDatabase } from '../database/prepareDatabase.ts';
import { installationSecrets } from '../supervise/secrets.ts';

/** `brokerx database`: prepares a PostgreSQL as its owner, before services sign in to it with roles of their own. */
export function addDatabase(program: Command): void {
  const database = program
    .command('database')
    .description('Prepare the PostgreSQL that DATABASE_URL names: tables, and a role for each service.');
  database
    .command('prepare')
    .description('Apply what is missing, as the owner; `brokerx start` does it by itself.')
    .addHelpText('after', `\n${PASSWORDS_HELP}`)
    .action(() => reportErrors(prepare));
  database
    .command('sql')
    .description(
      'Print the SQL that makes the roles, for somebody who may: the owner of the database may not.',
    )
    .option(
      '--data <folder>',
      'the installation whose services will sign in',
      process.env['BROKERX_DATA'] ?? '.brokerx',
    )
    .addHelpText('after', `\n${PASSWORDS_HELP}`)
    .action(({ data }: { data: string }) => reportErrors(() => sql(data)));
}

const passwordVariable = (service: DatabaseService) =>
  `${service.toUpperCase().replaceAll('-', '_')}_DATABASE_PASSWORD`;
const PASSWORDS_HELP = `Passwords of the roles: ${DATABASE_SERVICES.map(passwordVariable).join(', ')};
or, where none is set, made from the installation's BROKERX_MASTER_KEY, as \`brokerx start\` does.`;

const { DATABASE_URL } = sharedVariables;
const optional = z.string().optional();
const variables = z.object({
  DATABASE_URL,
  VAULT_URL: optional,
  READ_DATABASE_URL: optional,
  EVENTSTORE_URL: optional,
  BROKERX_MASTER_KEY: optional,
  ...Object.fromEntries(DATABASE_SERVICES.map((service) => [passwordVariable(service), optional])),
});
type Variables = z.output<typeof variables> & Record<string, string | undefined>;

async function prepare(): Promise<void> {
  const env = loadConfig(variables) as Variables;
  await prepareDatabase({
    ownerUrl: env.DATABASE_URL,
    root: resolve(import.meta.dirname, '../../../..'),
    passwords: passwordsOf(env, env.BROKERX_MASTER_KEY),
    schemas: schemasKeptIn(env),
    log: createLog({ name: 'database', level: 'info' }),
  });
  process.stderr.write('the database is prepared\n');
}

async function sql(data: string): Promise<void> {
  const env = loadConfig(variables) as Variables;
  const passwords = passwordsOf(
    env,
    env.BROKERX_MASTER_KEY ?? installationSecrets(resolve(data)).BROKERX_MASTER_KEY,
  );
  process.stdout.write(`${rolesSql(databaseOf(env.DATABASE_URL), passwords)}\n`);
}

function passwordsOf(env: Variables, key: string | undefined): RolePasswords {
  const passwords = DATABASE_SERVICES.map((service) => [service, env[passwordVariable(service)]] as const);
  const missing = passwords.filter(([, password]) => password === undefined).map(([service]) => service);
  if (missing.length === 0) return Object.fromEntries(passwords) as RolePasswords;
  const masterKey = key === undefined ? undefined : parseMasterKey(key);
  if (missing.length < passwords.length || masterKey === undefined) {
    const remedy =
      'Set the password of each service, or BROKERX_MASTER_KEY (32 bytes in base64) and none of them.';
    throw new ConfigError(
      missing.map((service) => ({ variable: passwordVariable(service), rule: 'is not set', remedy })),
    );
  }
  return rolePasswords(masterKey, databaseOf(env.DATABASE_URL));
}

/** Runs the work, and writes expected errors to standard error in words. */
async function reportErrors(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof StartRefused)) throw error;
    process.stderr.write(`brokerx: ${error.message}\n`);
    process.exitCode = error instanceof ConfigError ? EXIT_USAGE : EXIT_FAILED;
  }
}
