import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { type AuditResult, auditFigures, auditInstallation, auditTable } from './audit.ts';
import { brokerApi } from './client.ts';
import { drillClient } from './drill/client.ts';
import { percentile, wholeLife } from './drill/recovery.ts';
import { DATABASE_PROCESS, type Installation, startInstallation } from './installation.ts';
import { openJournal, readJournal } from './journal.ts';
import { operatorOf } from './operator.ts';
import { type Person, registerMany } from './people.ts';
import { seededRandom } from './random.ts';
import { circumstances, EXIT, print, progress, table } from './report.ts';
import { runTool } from './target.ts';

/**
 * Kills processes of a working installation with SIGKILL, one after the other at random moments under load, and then
 * proves from outside that nothing acknowledged was lost and nothing happened twice.
 */
export type Kill = { process: string; atMs: number; recoveryMs: number | undefined };
export type DrillResult = {
  kills: Kill[];
  /** Processes that ended although nobody killed them; PostgreSQL's own kills aside, which may take others along. */
  unexpectedExits: string[];
  sent: number;
  audit: AuditResult;
  exitCode: number;
};
export type DrillOptions = { kills: number; seed: number; clients: number; pauseMs: number };

const SYMBOLS = [
  { symbol: 'DRILLA', midCents: 10_000 },
  { symbol: 'DRILLB', midCents: 2_500 },
];
/** Within the entry collar of 10 %, below everything that the clients bid. */
const PROBE_CENTS = 9_500;
const CASH_CENTS = 100_000_000;
const SHARES = 1_000_000;
/** The whole of BrokerX restarted after PostgreSQL's death, on a busy machine. */
const RECOVERY_MAX_MS = 90_000;
/** How finely a recovery is timed. */
const PROBE_PAUSE_MAX_MS = 50;
/** Processes whose death is not the system's to survive. */
const SPARED = /supervisor|traders|^brokerx$/;

export async function crashDrill(installation: Installation, options: DrillOptions): Promise<DrillResult> {
  const { status } = installation;
  const random = seededRandom(options.seed);
  const api = brokerApi({
    commandUrl: status.commandUrl,
    queryUrl: status.queryUrl,
    attemptTimeoutMs: 5_000,
    patienceMs: RECOVERY_MAX_MS,
  });
  const apis = [api];
  // In the installation's folder: gone with it, however we end.
  const folder = mkdtempSync(join(installation.dataDir, 'journals-'));
  const stop = new AbortController();
  try {
    const operator = await operatorOf(api, status.operatorEmail, status.operatorPassword);
    for (const { symbol, midCents } of SYMBOLS) {
      await operator.list({ symbol, name: 'Crash drill', listingCents: midCents });
    }
    const people = await registerMany(api, 'drill', options.clients + 1);
    for (const { accountId } of people) {
      await operator.exemptAccount(accountId);
      await operator.giveCash(accountId, CASH_CENTS);
      for (const { symbol } of SYMBOLS) await operator.giveShares(accountId, symbol, SHARES);
    }
    const prober = people.pop() as Person;
    const file = (index: number) => join(folder, `client-${index}.jsonl`);
    const clients = people.map((person, index) =>
      drillClient({
        api,
        person,
        journal: openJournal(file(index)),
        random: seededRandom(options.seed * 1_000 + index),
        symbols: SYMBOLS,
        stop: stop.signal,
      }),
    );
    const stopWatch = brokerApi({
      commandUrl: status.commandUrl,
      queryUrl: status.queryUrl,
      attemptTimeoutMs: 2_000,
      pauseMaxMs: PROBE_PAUSE_MAX_MS,
    });
    apis.push(stopWatch);
    const probe = {
      api: stopWatch,
      person: prober,
      symbol: SYMBOLS[0]?.symbol ?? '',
      priceCents: PROBE_CENTS,
    };
    const { kills, unexpectedExits } = await killing(installation, options, random, (waitMs) =>
      wholeLife(probe, waitMs),
    );
    stop.abort();
    await Promise.all(clients.map(({ done }) => done));
    progress('auditing …');
    const audit = await auditInstallation({
      api,
      operator: operator.person,
      journals: people.flatMap((_, index) => readJournal(file(index))),
    });
    const recovered = kills.every(({ recoveryMs }) => recoveryMs !== undefined);
    return {
      kills,
      unexpectedExits,
      sent: clients.reduce((sum, client) => sum + client.sent(), 0),
      audit,
      exitCode:
        audit.exitCode ||
        (recovered ? (unexpectedExits.length > 0 ? EXIT.unexpectedExit : EXIT.ok) : EXIT.liveness),
    };
  } finally {
    stop.abort();
    await Promise.all(apis.map((each) => each.close()));
  }
}

async function killing(
  installation: Installation,
  { kills: count, pauseMs }: DrillOptions,
  random: ReturnType<typeof seededRandom>,
  recovered: (waitMs: number) => Promise<number | undefined>,
): Promise<{ kills: Kill[]; unexpectedExits: string[] }> {
  const begun = performance.now();
  const kills: Kill[] = [];
  const unexpectedExits: string[] = [];
  const victims = Object.keys(installation.pids()).filter((name) => !SPARED.test(name));
  // Every process has its turn, in a random order, before any has a second one.
  let round: string[] = [];
  for (let index = 0; index < count; index++) {
    if (round.length === 0) round = [...victims];
    const name = round.splice(random.below(round.length), 1)[0] as string;
    await delay(random.below(pauseMs + 1));
    const before = await allRunning(installation, victims);
    process.kill(before[name] as number, 'SIGKILL');
    const recoveryMs = await recovered(RECOVERY_MAX_MS);
    kills.push({ process: name, atMs: performance.now() - begun, recoveryMs });
    progress(
      `kill ${index + 1} of ${count}: ${name}, ${recoveryMs === undefined ? 'NOT recovered' : `works again after ${Math.round(recoveryMs)} ms`}`,
    );
    if (recoveryMs === undefined) break;
    if (name === DATABASE_PROCESS) continue; // It takes whom it likes along.
    const after = await allRunning(installation, victims);
    for (const other of victims) {
      if (other !== name && after[other] !== before[other])
        unexpectedExits.push(`${other} after the end of ${name}`);
    }
  }
  return { kills, unexpectedExits };
}

/** Pids once every process has one: between an end and the next start it has none. */
async function allRunning(
  installation: Installation,
  names: readonly string[],
): Promise<Record<string, number>> {
  const deadline = performance.now() + RECOVERY_MAX_MS;
  for (;;) {
    const pids = installation.pids();
    if (names.every((name) => name in pids)) return pids;
    if (performance.now() > deadline)
      throw new Error(`not all processes came back: ${Object.keys(pids).join(', ')}`);
    await delay(50);
  }
}

export function drillTable({ kills, unexpectedExits, sent }: DrillResult): string {
  const names = [...new Set(kills.map((kill) => kill.process))].toSorted();
  const rows = [...names, 'all'].map((name) => {
    const own = kills.filter((kill) => name === 'all' || kill.process === name);
    const times = own.flatMap(({ recoveryMs }) => (recoveryMs === undefined ? [] : [recoveryMs]));
    return [
      name,
      own.length,
      times.length,
      percentile(times, 0.5),
      percentile(times, 0.95),
      Math.max(0, ...times),
    ].map((cell) => (typeof cell === 'number' ? Math.round(cell) : cell));
  });
  return [
    table(['killed', 'times', 'recovered', 'p50 ms', 'p95 ms', 'max ms'], rows),
    `${sent.toLocaleString('en-US')} commands sent meanwhile`,
    ...unexpectedExits.map((what) => `unexpected exit: ${what}`),
  ].join('\n');
}

async function main(): Promise<void> {
  const program = new Command('crash-drill')
    .description(
      'Kills -9 every process of an installation of its own under load, then audits that nothing is lost or doubled.',
    )
    .option('--kills <n>', 'how many', '20')
    .option('--seed <n>', 'of moments, victims and orders', '1')
    .option('--clients <n>', 'clients that send commands meanwhile', '6')
    .option('--pause-ms <ms>', 'at most so long between a recovery and the next kill', '1500')
    .option('--json', 'one JSON object with `ok` on the last line')
    .parse();
  const options = program.opts<{
    kills: string;
    seed: string;
    clients: string;
    pauseMs: string;
    json?: boolean;
  }>();
  await runTool(options.json, async () => {
    progress('starting an installation of its own …');
    const installation = await startInstallation();
    try {
      const seed = Number(options.seed);
      const result = await crashDrill(installation, {
        kills: Number(options.kills),
        seed,
        clients: Number(options.clients),
        pauseMs: Number(options.pauseMs),
      });
      print(drillTable(result));
      print(auditTable(result.audit));
      return {
        exitCode: result.exitCode,
        figures: {
          kills: result.kills,
          unexpected_exits: result.unexpectedExits,
          sent: result.sent,
          audit: auditFigures(result.audit),
          ...circumstances(seed),
        },
      };
    } finally {
      await installation.stop();
    }
  });
}

if (import.meta.main) await main();
