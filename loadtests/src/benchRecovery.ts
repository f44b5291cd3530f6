import { setTimeout as delay } from 'node:timers/promises';
import { idSource } from '@brokerx/client';
import { mintId } from '@brokerx/contracts';
import { Command, InvalidArgumentError } from 'commander';
import { circumstances, EXIT, print, progress, table } from './cli/report.ts';
import { usageExit } from './cli/usageExit.ts';
import { wholeNumber } from './cli/wholeNumber.ts';
import { DATABASE_PROCESS, type Installation } from './own/installation.ts';
import { openTarget, runTool, type Target, type TargetOptions } from './own/target.ts';
import { type Person, registerMany } from './people.ts';

/**
 * Measures how long BrokerX is out of service after a kill: until the first order has gone through from end to end, that is
 * accepted, matched by an engine, settled, and shown as open. The steps between tell where the time goes.
 */
const STEPS = ['restarted', 'taken', 'shown', 'open'] as const;
type Step = (typeof STEPS)[number];
/** Milliseconds from the kill to each step. */
type Recovery = Record<Step, number>;

/** The kinds of processes that each fault kills. Of several processes of a kind the first one is killed. */
const FAULTS: Record<string, readonly string[]> = {
  'command-api': ['command-api'],
  engine: ['matching-engine'],
  projectors: ['projectors'],
  'query-api': ['query-api'],
  PostgreSQL: [DATABASE_PROCESS],
  everything: [DATABASE_PROCESS, 'command-api', 'matching-engine', 'projectors', 'query-api'],
};
const FAULT_NAMES = Object.keys(FAULTS);

function parseFaults(text: string): readonly string[] {
  const faults = text.split(',');
  if (faults.every((fault) => FAULT_NAMES.includes(fault))) return faults;
  throw new InvalidArgumentError(`It must be some of ${FAULT_NAMES.join(',')}.`);
}

const SYMBOL = 'RECOVER';
const POLL_MS = 20;
/** The time-out of an attempt. A process that is away refuses at once. */
const REQUEST_MS = 2_000;
/** Milliseconds after which the measurement fails. */
const GIVE_UP_MS = 120_000;
/** Between two faults everything comes to rest, and the supervisor forgets that a process has ended. */
const REST_MS = 31_000;

type Options = { rounds: number; faults: readonly string[]; rest: number };

async function main(): Promise<void> {
  const program = new Command('bench:recovery')
    .exitOverride(usageExit)
    .description(
      'Measures the time from a kill to the first order that is seen end to end, on an installation of its own.',
    )
    .option('--rounds <n>', 'kills of each kind', wholeNumber(1), 5)
    .option('--faults <list>', `some of ${FAULT_NAMES.join(',')}`, parseFaults, FAULT_NAMES)
    .option('--rest <ms>', 'between two kills', wholeNumber(0), REST_MS)
    .option('--engines <n>', 'matching engines', wholeNumber(1), 1)
    .option('--json', 'one JSON object with `ok` on the last line')
    .parse();
  const options = program.opts<Options & TargetOptions>();
  const { faults } = options;
  await runTool(options.json, async () => {
    const target = await openTarget(options);
    try {
      const recoveries = await measure(target, faults, options);
      print(
        table(
          ['median of ms after the kill', ...STEPS, 'longest'],
          [...recoveries].map(([fault, own]) => [
            fault,
            ...STEPS.map((step) => median(own.map((recovery) => recovery[step]))),
            Math.max(...own.map(({ open }) => open)),
          ]),
        ),
      );
      return {
        exitCode: EXIT.ok,
        figures: { recoveries: Object.fromEntries(recoveries), ...circumstances(0) },
      };
    } finally {
      await target.close();
    }
  });
}

async function measure(
  { api, operator, installation }: Target,
  faults: readonly string[],
  { rounds, rest }: Options,
): Promise<Map<string, Recovery[]>> {
  if (!installation) throw new Error('processes are killed: this needs an installation of its own');
  await operator.list({ symbol: SYMBOL, name: 'Recovers', listingCents: 5_000 });
  const [buyer] = await registerMany(api, 'recovery', 1);
  if (!buyer) throw new Error('nobody was registered');
  await operator.giveCash(buyer.accountId, 100_000_000);
  const token = await buyer.token();
  await firstSeen(installation, token, performance.now());
  const recoveries = new Map(faults.map((fault): [string, Recovery[]] => [fault, []]));
  for (let round = 0; round < rounds; round++) {
    for (const fault of faults) {
      await delay(rest);
      const recovery = await recover(installation, fault, buyer);
      recoveries.get(fault)?.push(recovery);
      progress(`${fault}: ${STEPS.map((step) => `${step} ${Math.round(recovery[step])}`).join(', ')} ms`);
    }
  }
  return recoveries;
}

async function recover(installation: Installation, fault: string, buyer: Person): Promise<Recovery> {
  // The client signs in before the kill, so that the measurement does not include a sign-in.
  const token = await buyer.token();
  const before = Object.entries(installation.pids());
  const killed = (FAULTS[fault] ?? []).flatMap((kind) =>
    before.filter(([name]) => name === kind || name === `${kind}-1`),
  );
  if (killed.length === 0) throw new Error(`nothing of ${fault} runs: ${before.map(([name]) => name)}`);
  for (const [, pid] of killed) process.kill(pid, 'SIGKILL');
  const begunMs = performance.now();
  const [restarted, seen] = await Promise.all([
    until(begunMs, async () => {
      const now = installation.pids();
      return killed.every(([name, pid]) => now[name] !== undefined && now[name] !== pid);
    }),
    firstSeen(installation, token, begunMs),
  ]);
  return { restarted, ...seen };
}

/** Repeats an order until it is accepted, and then asks for it until it is open. */
async function firstSeen(
  { status: { commandUrl, queryUrl } }: Installation,
  token: string,
  begunMs: number,
): Promise<Omit<Recovery, 'restarted'>> {
  let id = '';
  const key = mintId(idSource);
  const taken = await until(begunMs, async () => {
    const reply = await ask(`${commandUrl}/v1/orders`, token, key);
    if (reply?.status === 202) ({ id } = reply.body as { id: string });
    return id !== '';
  });
  let isOpen = false;
  const shown = await until(begunMs, async () => {
    const reply = await ask(`${queryUrl}/v1/orders/${id}`, token);
    isOpen = (reply?.body as { status?: string })?.status === 'new';
    return reply?.status === 200;
  });
  const open = await until(begunMs, async () => {
    if (isOpen) return true;
    const reply = await ask(`${queryUrl}/v1/orders/${id}`, token);
    return (reply?.body as { status?: string })?.status === 'new';
  });
  return { taken, shown, open };
}

/** Sends one request: with a key it places an order, without one it reads. Null if nobody answers. */
async function ask(url: string, token: string, key?: string) {
  const order = {
    symbol: SYMBOL,
    side: 'buy',
    type: 'limit',
    time_in_force: 'day',
    qty: '1',
    limit_price: '46.00',
  };
  try {
    const reply = await fetch(url, {
      ...(key ? { method: 'POST', body: JSON.stringify(order) } : {}),
      headers: {
        authorization: `Bearer ${token}`,
        ...(key ? { 'content-type': 'application/json', 'idempotency-key': key } : {}),
      },
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    return { status: reply.status, body: (await reply.json()) as unknown };
  } catch {
    // Refused, cut off or late: the caller tries again, which is what is measured.
    return null;
  }
}

/** Waits until the condition holds. Returns the milliseconds since `begunMs`. */
async function until(begunMs: number, condition: () => Promise<boolean>): Promise<number> {
  while (!(await condition())) {
    if (performance.now() - begunMs > GIVE_UP_MS) throw new Error(`not within ${GIVE_UP_MS} ms`);
    await delay(POLL_MS);
  }
  return performance.now() - begunMs;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 1 ? middle : middle - 1], sorted[middle]];
  return Math.round((low + high) / 2);
}

await main();
