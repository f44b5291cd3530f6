import { setTimeout as delay } from 'node:timers/promises';
import { parsePosition } from '@brokerx/contracts';
import { Command } from 'commander';
import { type AuditResult, auditFigures, auditInstallation, auditTable } from './audit.ts';
import { report, round } from './bench/figures.ts';
import { bareLimit, headPosition, type LoadShape, measure } from './bench/measure.ts';
import { brokerApi } from './client.ts';
import type { Installation } from './installation.ts';
import { operatorOf } from './operator.ts';
import type { Person } from './people.ts';
import { circumstances, EXIT, print, progress, type Row, table } from './report.ts';
import { seedStore } from './seedStore.ts';
import { openTarget, runTool, type TargetOptions, withTarget } from './target.ts';

/**
 * How many orders a second the whole of BrokerX takes on this machine, load generator included, and how quickly:
 * many clients at once, most of them on one symbol, about half of the orders trading. Beside it, as the limit, a bare
 * web server under the same load. Afterwards everything is audited: an order that is quick and wrong counts nothing.
 */
type Options = LoadShape & { preload: number; minRate: number; maxP95Ms: number };

/** Every round of a history takes 20 ms of its time: a million events fit in well. */
const HISTORY_AGE_MS = 6 * 3_600_000;
const CATCH_UP_MAX_MS = 600_000;
const CATCH_UP_POLL_MS = 20;

function tradedShare({ history }: AuditResult, people: readonly Person[]): number {
  const orders = people.flatMap(({ accountId }) => history.accounts.get(accountId)?.orders ?? []);
  return orders.filter(({ filled }) => filled > 0).length / Math.max(1, orders.length);
}

/** A past of its own: what the first start on it cost (nothing derived yet), and every start after. */
type History = { events: number; firstStartMs: number; catchUpMs: number; startMs: number };

/** Gives an installation a past before it is used. */
async function preload(installation: Installation, { preload: wanted, seed }: Options): Promise<History> {
  progress(`writing ${wanted.toLocaleString('en-US')} events of history …`);
  let events = 0;
  const first = await installation.withDatabaseAlone(async () => {
    const { databaseUrl } = installation.status;
    const startMs = Date.now() - HISTORY_AGE_MS;
    ({ events } = await seedStore(databaseUrl, { seed, events: wanted, startMs }));
  });
  progress(`first start, nothing derived yet: ${Math.round(first.startMs)} ms`);
  const catchUpMs = await caughtUp(installation);
  progress(`read models caught up after another ${Math.round(catchUpMs)} ms`);
  const { startMs } = await installation.restart();
  progress(`started on ${events.toLocaleString('en-US')} events in ${Math.round(startMs)} ms`);
  return { events, firstStartMs: first.startMs, catchUpMs, startMs };
}

/** Waits until the read models show all of the history. */
async function caughtUp({ status }: Installation): Promise<number> {
  const begun = performance.now();
  const api = brokerApi(status);
  try {
    const { person } = await operatorOf(api, status.operatorEmail, status.operatorPassword);
    const reply = await api.raw('query', {
      path: '/v1/events?limit=1',
      headers: { authorization: `Bearer ${await person.token()}` },
    });
    const head = parsePosition(reply.headers['x-brokerx-position'] ?? '')?.position ?? 0;
    while ((await headPosition(api, person)) < head) {
      if (performance.now() - begun > CATCH_UP_MAX_MS)
        throw new Error('the read models do not catch up with the history');
      await delay(CATCH_UP_POLL_MS);
    }
  } finally {
    await api.close();
  }
  return performance.now() - begun;
}

async function main(): Promise<void> {
  const program = withTarget(
    new Command('bench:orders')
      .description('Measures orders a second, latency and CPU of a whole BrokerX, and audits the result.')
      .option('--clients <n>', 'clients with one order in flight each', '150')
      .option('--seconds <n>', 'measured time', '60')
      .option('--warm-up-seconds <n>', 'unmeasured time before', '5')
      .option('--rate <n>', 'orders a second of all clients; 0: as fast as answers come', '1500')
      .option('--fast-rate <n>', 'orders a second of one account beside them', '100')
      .option('--bare-seconds <n>', 'time for the bare endpoint; 0: leave it out', '10')
      .option('--preload <events>', 'history to begin with (installation of its own only)', '0')
      .option('--seed <n>', 'of orders and history', '1')
      .option('--min-rate <n>', 'fail below so many orders a second', '1500')
      .option('--max-p95-ms <ms>', 'fail above this latency; 0: any', '100')
      .option('--no-audit', 'leave out the audit at the end'),
  ).parse();
  const raw = program.opts<Record<keyof Options, string> & TargetOptions & { audit: boolean }>();
  const options: Options = {
    clients: Number(raw.clients),
    seconds: Number(raw.seconds),
    warmUpSeconds: Number(raw.warmUpSeconds),
    rate: Number(raw.rate),
    fastRate: Number(raw.fastRate),
    bareSeconds: Number(raw.bareSeconds),
    preload: Number(raw.preload),
    seed: Number(raw.seed),
    minRate: Number(raw.minRate),
    maxP95Ms: Number(raw.maxP95Ms),
  };
  await runTool(raw.json, async () => {
    const bare = options.bareSeconds > 0 ? await bareLimit(options) : undefined;
    let history: History | undefined;
    const prepare = async (installation: Installation) => {
      history = await preload(installation, options);
    };
    if (options.preload > 0 && raw.commandUrl) throw new Error('--preload needs an installation of its own');
    const target = await openTarget(raw, {
      connections: 32,
      prepare: options.preload > 0 ? prepare : undefined,
    });
    try {
      const measured = await measure(target, options);
      const figures = report(options, measured, bare);
      if (history) {
        const { events, firstStartMs, catchUpMs, startMs } = history;
        const rows = [
          ['events', events],
          ['start ms', Math.round(startMs)],
          ['first start, nothing derived yet, ms', Math.round(firstStartMs)],
          ['until all views were built, ms more', Math.round(catchUpMs)],
        ] satisfies Row[];
        print(table(['history', 'value'], rows));
      }
      const audit: AuditResult | undefined = raw.audit
        ? await auditInstallation({
            api: target.api,
            operator: target.operator.person,
            journals: measured.load.entries,
            settleMs: 300_000,
          })
        : undefined;
      if (audit) print(auditTable(audit));
      const traded = audit && tradedShare(audit, measured.people);
      if (traded !== undefined)
        print(`${Math.round(traded * 100)} % of the orders were filled, wholly or in part`);
      const faultless = figures.unknown === 0 && measured.load.refused.size === 0;
      if (!faultless) print('some orders were not acknowledged: see above');
      const fastEnough =
        figures.orders_per_second >= options.minRate &&
        (options.maxP95Ms === 0 || figures.p95_ms <= options.maxP95Ms);
      if (!fastEnough)
        print(
          `too slow: at least ${options.minRate} orders/s with p95 of at most ${options.maxP95Ms} ms are asked for`,
        );
      return {
        exitCode: audit?.exitCode || (!faultless ? EXIT.failed : fastEnough ? EXIT.ok : EXIT.tooSlow),
        figures: {
          ...figures,
          ...(history
            ? {
                preloaded_events: history.events,
                first_start_ms: Math.round(history.firstStartMs),
                catch_up_ms: Math.round(history.catchUpMs),
                start_ms: Math.round(history.startMs),
              }
            : {}),
          ...(audit ? { traded_share: round(traded ?? 0, 3), audit: auditFigures(audit) } : {}),
          ...circumstances(options.seed),
        },
      };
    } finally {
      await target.close();
    }
  });
}

if (import.meta.main) await main();
