import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Api, idSource, succeeded } from '@brokerx/client';
import { decimalFromCents, mintId, type views } from '@brokerx/contracts';
import { Command } from 'commander';
import { parseRawEvent } from './audit/rawEvent.ts';
import { auditFigures, auditInstallation, auditTable } from './audit.ts';
import { circumstances, EXIT, print, progress, table } from './cli/report.ts';
import { usageExit } from './cli/usageExit.ts';
import { wholeNumber } from './cli/wholeNumber.ts';
import { type FlowRow, parseFlow } from './flow.ts';
import { openTarget, runTool, type Target, type TargetOptions, withTarget } from './own/target.ts';
import { type Person, registerMany } from './people.ts';

/**
 * Replays a recorded trading day through the public API, one request after the other in the exchange's order, and compares
 * the trades with those of the exchange. A market with price-time priority fills exactly the orders that the record names.
 */
type Options = TargetOptions & { rows?: number; audit?: boolean };

const FILE_HELP = `
The file has a message of the exchange a line, without a head, such as 34200.01,A,17,100,5853300,1:
  time    seconds since midnight; it is not looked at, the order of lines counts
  action  A: a limit order comes to rest; R: it shrinks by so many shares; C: it is cancelled;
          X: an aggressor takes so many shares of it
  order   the exchange's number of the resting order
  shares  a whole number above 0
  price   dollars × 10,000, in whole cents
  side    1 buys, -1 sells; of the aggressor where the action is X
A message file of LOBSTER (lobsterdata.com) becomes one: its types 1, 2, 3 and 4 are A, R, C and X (with the side turned
round, since it tells that of the resting order); other types, and orders from before the file begins, are left out.`;

/** Cash and shares for every order of the day at once, below the most that an account may hold. */
const CASH_CENTS = 1_000_000_000_000;
const SHARES = 1_000_000_000;
const PROGRESS_ROWS = 5_000;
const ANSWER_WAIT_MS = 30_000;
const ANSWER_POLL_MS = 2;
const TRADES_WAIT_MS = 60_000;

export type ReplayResult = {
  symbol: string;
  rows: number;
  /** The executions in the record, each of which names a resting order. */
  named: number;
  /** How many of them the system made exactly so. */
  matched: number;
  deviations: string[];
  durationMs: number;
};

const isPriced = (row: FlowRow) => 'priceCents' in row;

export async function replay(target: Target, rows: readonly FlowRow[]): Promise<ReplayResult> {
  const { api, operator } = target;
  // Each run has a symbol of its own, because a symbol's book is never emptied.
  const symbol = `R${mintId(idSource).replaceAll('-', '').slice(-8).toUpperCase()}`;
  const first = rows.find(isPriced);
  if (!first) throw new Error('the flow has no order in it');
  await operator.list({ symbol, name: 'Recorded day', listingCents: first.priceCents, feePpm: 0 });
  await operator.exemptSymbol(symbol);
  const [maker, taker] = (await registerMany(api, 'replay', 2)) as [Person, Person];
  for (const person of [maker, taker]) {
    await operator.exemptAccount(person.accountId);
    await operator.giveCash(person.accountId, CASH_CENTS);
    await operator.giveShares(person.accountId, symbol, SHARES);
  }
  const begunMs = performance.now();
  const executions = await send(api, rows, { symbol, maker, taker });
  const durationMs = performance.now() - begunMs;
  const comparison = await compare(target, symbol, executions);
  return { symbol, rows: rows.length, ...comparison, durationMs };
}

/** One of our resting orders. `hasOpenChange`: its last change may not have been answered. */
type Resting = { id: string; total: number; hasOpenChange: boolean };
/** The exchange's executions, by the id of our aggressor's order. */
type Executions = Map<string, { maker: string; shares: number; priceCents: number; line: number }>;

async function send(
  api: Api,
  rows: readonly FlowRow[],
  { symbol, maker, taker }: { symbol: string; maker: Person; taker: Person },
): Promise<Executions> {
  const resting = new Map<string, Resting>();
  const executions: Executions = new Map();
  const place = async (
    person: Person,
    row: Extract<FlowRow, { priceCents: number }>,
    timeInForce: 'gtc' | 'ioc',
  ) =>
    succeeded(
      `placing ${row.order}`,
      await api.command<views.OrderView>({
        method: 'POST',
        path: '/v1/orders',
        token: await person.token(),
        body: {
          symbol,
          side: row.side,
          type: 'limit',
          qty: String(row.shares),
          limit_price: decimalFromCents(row.priceCents),
          time_in_force: timeInForce,
        },
      }),
    ).body.id;
  const restingOf = (order: string): Resting => {
    const own = resting.get(order);
    if (!own) throw new Error(`order ${order} is changed before it was added`);
    return own;
  };
  for (const [index, row] of rows.entries()) {
    if (index > 0 && index % PROGRESS_ROWS === 0) progress(`${index} of ${rows.length} rows`);
    if (row.action === 'add') {
      resting.set(row.order, { id: await place(maker, row, 'gtc'), total: row.shares, hasOpenChange: false });
    } else if (row.action === 'execute') {
      const id = await place(taker, row, 'ioc');
      executions.set(id, {
        maker: restingOf(row.order).id,
        shares: row.shares,
        priceCents: row.priceCents,
        line: index + 1,
      });
    } else if (row.action === 'cancel') {
      succeeded(
        `canceling ${row.order}`,
        await api.command({
          method: 'DELETE',
          path: `/v1/orders/${restingOf(row.order).id}`,
          token: await maker.token(),
        }),
      );
      resting.delete(row.order);
    } else {
      const order = restingOf(row.order);
      if (order.hasOpenChange) await changeAnswered(api, maker, order);
      order.total -= row.shares;
      order.hasOpenChange = true;
      succeeded(
        `reducing ${row.order}`,
        await api.command({
          method: 'PATCH',
          path: `/v1/orders/${order.id}`,
          token: await maker.token(),
          body: { qty: String(order.total) },
        }),
      );
    }
  }
  return executions;
}

/** Waits until the last change of an order has been answered, because an order may have one open change at a time. */
async function changeAnswered(api: Api, owner: Person, order: Resting): Promise<void> {
  const deadlineMs = performance.now() + ANSWER_WAIT_MS;
  for (;;) {
    const view = await api.query<views.OrderView>(`/v1/orders/${order.id}`, { token: await owner.token() });
    if (view.qty === String(order.total) && view.status !== 'pending_replace') return;
    if (performance.now() > deadlineMs) throw new Error(`order ${order.id} is still ${view.status}`);
    await delay(ANSWER_POLL_MS);
  }
}

/** Compares the trades: each aggressor must have traded once, with the named order, in its quantity, at its price. */
async function compare(
  { api, operator }: Target,
  symbol: string,
  executions: Executions,
): Promise<Pick<ReplayResult, 'named' | 'matched' | 'deviations'>> {
  const trades = new Map<string, { maker: string; quantity: number; priceCents: number }[]>();
  const finished = new Set<string>();
  const deadlineMs = performance.now() + TRADES_WAIT_MS;
  let after = 0;
  while (finished.size < executions.size && performance.now() < deadlineMs) {
    const token = await operator.person.token();
    for await (const line of api.lines(`/v1/events?stream=book-${symbol}&after=${after}`, { token })) {
      if (line === '') continue;
      const event = parseRawEvent(line);
      after = event.position;
      if (event.type === 'OrderAccepted.v1' && executions.has(event.data.order.orderId)) {
        finished.add(event.data.order.orderId);
      }
      if (event.type !== 'TradeExecuted.v1') continue;
      const { taker, maker, quantity, priceTicks, tickCents } = event.data;
      const own = trades.get(taker.orderId) ?? [];
      trades.set(taker.orderId, own);
      own.push({ maker: maker.orderId, quantity, priceCents: priceTicks * tickCents });
    }
    if (finished.size < executions.size) await delay(100);
  }
  const deviations: string[] = [];
  let matched = 0;
  for (const [id, expected] of executions) {
    const [trade, ...more] = trades.get(id) ?? [];
    const isExact =
      more.length === 0 &&
      trade?.maker === expected.maker &&
      trade.quantity === expected.shares &&
      trade.priceCents === expected.priceCents;
    if (isExact) matched += 1;
    else
      deviations.push(
        `row ${expected.line}: traded ${JSON.stringify([trade, ...more])}, expected ${JSON.stringify(expected)}`,
      );
  }
  return { named: executions.size, matched, deviations };
}

async function main(): Promise<void> {
  const program: Command = withTarget(
    new Command('replay')
      .exitOverride(usageExit)
      .description(
        'Sends a recorded trading day through the API and compares every trade with the exchange’s.',
      )
      .argument('<file>', 'recorded flow: time,action,order,shares,price,side')
      .addHelpText('after', FILE_HELP)
      .option('--rows <n>', 'only the first n rows', wholeNumber(1))
      .option('--no-audit', 'leave out the audit at the end'),
  ).parse();
  const options = program.opts<Options>();
  const [file = ''] = program.args;
  let rows: FlowRow[];
  try {
    rows = parseFlow(readFileSync(file, 'utf8'), options.rows);
  } catch (error) {
    program.error(`error: ${file} cannot be replayed: ${(error as Error).message}`);
  }
  if (!rows.some(isPriced)) program.error(`error: ${file} has no order in it`);
  await runTool(options.json, async () => {
    const target = await openTarget(options);
    try {
      const result = await replay(target, rows);
      const rate = result.rows / (result.durationMs / 1000);
      print(
        table(
          ['recorded day', 'value'],
          [
            ['rows', result.rows],
            ['requests/s, one after the other', rate],
            ['seconds', result.durationMs / 1000],
            [
              'filled exactly as recorded',
              `${result.matched.toLocaleString('en-US')} of ${result.named.toLocaleString('en-US')}`,
            ],
          ],
        ),
      );
      for (const deviation of result.deviations.slice(0, 20)) print(`  ${deviation}`);
      const audit = options.audit
        ? await auditInstallation({ api: target.api, operator: target.operator.person })
        : undefined;
      if (audit) print(auditTable(audit));
      const isExact = result.matched === result.named;
      return {
        exitCode: isExact ? (audit?.exitCode ?? EXIT.ok) : EXIT.mismatch,
        figures: {
          ...result,
          deviations: result.deviations.length,
          requests_per_second: rate,
          ...circumstances(0),
          ...(audit ? { audit: auditFigures(audit) } : {}),
        },
      };
    } finally {
      await target.close();
    }
  });
}

if (import.meta.main) await main();
