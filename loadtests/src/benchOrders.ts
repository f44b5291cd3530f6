import { Command, InvalidArgumentError } from 'commander';
import { type AuditResult, auditFigures, auditInstallation, auditTable } from './audit.ts';
import { report, round, sideBySide } from './bench/figures.ts';
import { type History, preload } from './bench/history.ts';
import { bareLimit, idle, type LoadShape, measure } from './bench/measure.ts';
import { circumstances, EXIT, print, type Row, table } from './cli/report.ts';
import { usageExit } from './cli/usageExit.ts';
import { wholeNumber } from './cli/wholeNumber.ts';
import type { Installation } from './own/installation.ts';
import { type OutsideServers, startOutsideServers } from './own/outsideServers.ts';
import { openTarget, runTool, type TargetOptions, withTarget } from './own/target.ts';
import type { Person } from './people.ts';

/**
 * Measures how many orders a second a whole BrokerX takes on this machine, load generator included, and how quickly: from
 * many clients at once, most of them on one symbol, about half of the orders trading. As the limit it measures a bare web
 * server under the same load. Afterwards everything is audited, because an order that is quick and wrong counts nothing.
 */
type Options = LoadShape & { preload: number; idleSeconds: number; minRate: number; maxP95Ms: number };
type CommandOptions = Omit<Options, 'minRate'> & { minRate?: number };

function tradedShare({ history }: AuditResult, people: readonly Person[]): number {
  const orders = people.flatMap(({ accountId }) => history.accounts.get(accountId)?.orders ?? []);
  return orders.filter(({ filled }) => filled > 0).length / Math.max(1, orders.length);
}

async function main(): Promise<void> {
  const program = withTarget(
    new Command('bench:orders')
      .exitOverride(usageExit)
      .description('Measures orders a second, latency and CPU of a whole BrokerX, and audits the result.')
      .option('--clients <n>', 'clients with one order in flight each', wholeNumber(1), 150)
      .option('--seconds <n>', 'measured time', wholeNumber(1), 60)
      .option('--warm-up-seconds <n>', 'unmeasured time before', wholeNumber(0), 5)
      .option(
        '--rate <n>',
        'orders a second of all clients; 0: as fast as answers come',
        wholeNumber(0),
        1_500,
      )
      .option('--fast-rate <n>', 'orders a second of one account beside them', wholeNumber(0), 100)
      .option('--bare-seconds <n>', 'time for the bare endpoint; 0: leave it out', wholeNumber(0), 10)
      .option('--preload <events>', 'history to begin with (installation of its own only)', wholeNumber(0), 0)
      .option('--idle-seconds <n>', 'time in which nothing happens, before the load', wholeNumber(0), 0)
      .option(
        '--profiles <list>',
        `one after the other, of ${PROFILES.join(', ')}`,
        parseProfiles,
        parseProfiles('embedded'),
      )
      .option('--seed <n>', 'of orders and history', wholeNumber(0), 1)
      .option('--min-rate <n>', 'fail below so many orders a second (default: --rate)', wholeNumber(0))
      .option('--max-p95-ms <ms>', 'fail above this latency; 0: any', wholeNumber(0), 100)
      .option('--no-audit', 'leave out the audit at the end'),
  ).parse();
  const raw = program.opts<CommandOptions & TargetOptions & { audit: boolean; profiles: Profile[] }>();
  const options: Options = { ...raw, minRate: raw.minRate ?? raw.rate };
  const { profiles } = raw;
  if (raw.commandUrl && options.preload > 0)
    program.error('error: --preload needs an installation of its own');
  if (raw.commandUrl && profiles.length > 1)
    program.error('error: --profiles needs installations of its own');
  await runTool(raw.json, async () => {
    const results: { name: string; exitCode: number; figures: Figures }[] = [];
    for (const { name, ...servers } of profiles) {
      if (profiles.length > 1) print(`\n${name}`);
      const outside = await startOutsideServers(servers);
      try {
        results.push({ name, ...(await measureProfile(raw, options, outside)) });
      } finally {
        await outside.stop();
      }
    }
    if (results.length > 1) print(sideBySide(results));
    const [first] = results;
    return {
      exitCode: results.find(({ exitCode }) => exitCode !== EXIT.ok)?.exitCode ?? EXIT.ok,
      figures: {
        ...first?.figures,
        ...(results.length > 1
          ? { profiles: Object.fromEntries(results.map(({ name, figures }) => [name, figures])) }
          : {}),
        ...circumstances(options.seed),
      },
    };
  });
}

const PROFILES = ['embedded', 'kafka', 'redis', 'kafka+redis'];

type Profile = { name: string; kafka: boolean; redis: boolean };

function parseProfiles(list: string): Profile[] {
  return list.split(',').map((name) => {
    if (!PROFILES.includes(name))
      throw new InvalidArgumentError(`It must be some of ${PROFILES.join(', ')}, separated by commas.`);
    return { name, kafka: name.includes('kafka'), redis: name.includes('redis') };
  });
}

type Figures = ReturnType<typeof report> & { idle_percent_of_a_core?: number };

/** Measures one installation: history, idle time, load, audit. */
async function measureProfile(
  raw: TargetOptions & { audit: boolean },
  options: Options,
  outside: OutsideServers,
): Promise<{ exitCode: number; figures: Figures }> {
  const bare = options.bareSeconds > 0 ? await bareLimit(options) : undefined;
  let history: History | undefined;
  const prepare = async (installation: Installation) => {
    history = await preload(installation, options);
  };
  const target = await openTarget(raw, {
    connections: 32,
    env: outside.env,
    prepare: options.preload > 0 ? prepare : undefined,
  });
  try {
    const idlePercent = options.idleSeconds > 0 ? await idle(target, options.idleSeconds) : undefined;
    const measured = await measure(target, options, outside.pids());
    const figures = report(options, measured, bare);
    if (idlePercent !== undefined) print(`at rest before: ${idlePercent} % of one core, all of BrokerX`);
    if (history) print(historyTable(history));
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
    const isFaultless = figures.unknown === 0 && measured.load.refused.size === 0;
    if (!isFaultless) print('some orders were not acknowledged: see above');
    const isFastEnough =
      figures.orders_per_second >= options.minRate &&
      (options.maxP95Ms === 0 || figures.p95_ms <= options.maxP95Ms);
    if (!isFastEnough)
      print(
        `too slow: at least ${options.minRate} orders/s with p95 of at most ${options.maxP95Ms} ms are asked for`,
      );
    return {
      exitCode: audit?.exitCode || (!isFaultless ? EXIT.failed : isFastEnough ? EXIT.ok : EXIT.tooSlow),
      figures: {
        ...figures,
        ...(idlePercent === undefined ? {} : { idle_percent_of_a_core: idlePercent }),
        ...(history
          ? {
              preloaded_events: history.events,
              first_start_ms: Math.round(history.firstStartMs),
              catch_up_ms: Math.round(history.catchUpMs),
              start_ms: Math.round(history.startMs),
            }
          : {}),
        ...(audit ? { traded_share: round(traded ?? 0, 3), audit: auditFigures(audit) } : {}),
      },
    };
  } finally {
    await target.close();
  }
}

function historyTable({ events, firstStartMs, catchUpMs, startMs }: History): string {
  const rows = [
    ['events', events],
    ['start ms', Math.round(startMs)],
    ['first start, nothing derived yet, ms', Math.round(firstStartMs)],
    ['until all views were built, ms more', Math.round(catchUpMs)],
  ] satisfies Row[];
  return table(['history', 'value'], rows);
}

if (import.meta.main) await main();
