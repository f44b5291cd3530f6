import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT_FAILED } from '@brokerx/infra/runtime/shutdown.ts';
import { type Command, InvalidArgumentError } from 'commander';

type Options = {
  count: number;
  out: string;
  label: string;
  password?: string;
  cash?: string;
  shares: { symbol: string; qty: string }[];
  reason: string;
  commandUrl: string;
  data: string;
  operatorEmail?: string;
  operatorPassword?: string;
};

/** The most people that one request may make. */
const PEOPLE_PER_REQUEST_MAX = 100;

/** `brokerx people create`: makes verified, funded people in bulk, if the server allows it. */
export function addPeople(program: Command): void {
  const people = program.command('people').description('People of a development installation.');
  people
    .command('create')
    .description('Make verified, funded people, by an operator, in a development installation.')
    .requiredOption('--count <n>', 'how many', count)
    .requiredOption('--out <file>', 'where their sign-ins and accounts are written, as JSON')
    .option('--label <word>', 'their e-mail addresses begin with it', 'person')
    .option('--password <phrase>', 'of all of them; made up when not given')
    .option('--cash <amount>', 'cash of each, such as 100000.00', '100000.00')
    .option('--shares <list>', 'shares of each, such as ACME=1000,XEQT=50', shares, [])
    .option('--reason <text>', 'why: it is recorded', 'brokerx people create')
    .option('--command-url <url>', 'command-api', 'http://127.0.0.1:8001')
    .option('--data <folder>', 'data folder, where the operator’s sign-in is', '.brokerx')
    .option('--operator-email <address>', 'the operator, when another one')
    .option('--operator-password <password>')
    .action(async (options: Options) => {
      try {
        await create(options);
      } catch (error) {
        process.stderr.write(`error: ${(error as Error).message}\n`);
        process.exitCode = EXIT_FAILED;
      }
    });
}

type Created = { email: string; client_id: string; account_id: string };

async function create(options: Options): Promise<void> {
  const { count: peopleCount, out, label, cash, shares: sharesEach, reason, commandUrl } = options;
  const token = await signIn(options);
  const password = options.password ?? `made up ${randomBytes(16).toString('hex')}`;
  const people: Created[] = [];
  while (people.length < peopleCount) {
    const body = {
      count: Math.min(PEOPLE_PER_REQUEST_MAX, peopleCount - people.length),
      label,
      password,
      amount: cash,
      shares: sharesEach,
      exempt: true,
      reason,
    };
    const headers = { authorization: `Bearer ${token}`, 'idempotency-key': newKey() };
    const { status, text } = await post(`${commandUrl}/dev/people`, body, headers);
    if (status === 404)
      throw new Error(`${commandUrl} makes no people: it does so where BROKERX_MODE is development`);
    if (status !== 201) throw new Error(`${commandUrl} answered ${status}: ${text}`);
    people.push(...(JSON.parse(text) as { items: Created[] }).items);
    process.stderr.write(`${people.length} of ${peopleCount}\n`);
  }
  // The file is complete or absent, and only its owner may read it.
  writeFileSync(`${out}.new`, `${JSON.stringify({ password, people }, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${out}.new`, out);
  process.stdout.write(`${people.length} people: ${out}\n`);
}

/** A UUID of version 4. */
function newKey(): string {
  const hex = randomBytes(16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

async function signIn({ commandUrl, data, operatorEmail, operatorPassword }: Options): Promise<string> {
  const file = join(data, 'secrets.json');
  const secrets = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : {};
  const email = operatorEmail ?? process.env.OPERATOR_EMAIL ?? secrets['OPERATOR_EMAIL'];
  const password = operatorPassword ?? process.env.OPERATOR_PASSWORD ?? secrets['OPERATOR_PASSWORD'];
  if (!email || !password)
    throw new Error(`there is no operator in ${file}: give --operator-email and --operator-password`);
  const { status, text } = await post(`${commandUrl}/v1/sessions`, { email, password });
  if (status !== 201) throw new Error(`the operator is not let in by ${commandUrl}: ${status} ${text}`);
  return (JSON.parse(text) as { access_token: string }).access_token;
}

async function post(url: string, body: object, headers: Record<string, string> = {}) {
  const reply = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  }).catch((error: Error) => {
    throw new Error(
      `${url} cannot be reached: ${(error.cause as Error | undefined)?.message ?? error.message}`,
    );
  });
  return { status: reply.status, text: await reply.text() };
}

function count(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('It must be a whole number, 1 or more.');
}

function shares(text: string): Options['shares'] {
  return text.split(',').map((entry) => {
    const [, symbol, qty] = /^([A-Z][A-Z0-9.]*)=(\d+)$/.exec(entry) ?? [];
    if (!symbol || !qty) throw new InvalidArgumentError('It must be such as ACME=1000,XEQT=50.');
    return { symbol, qty };
  });
}
