import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { brokerApi } from '@brokerx/client';
import { Command } from 'commander';
import { type AuditResult, auditFigures, auditInstallation, auditTable } from './audit.ts';
import { circumstances, EXIT, print, progress, table } from './cli/report.ts';
import { usageExit } from './cli/usageExit.ts';
import { wholeNumber } from './cli/wholeNumber.ts';
import { drillClient } from './drill/client.ts';
import { percentile, timeToRecovery } from './drill/recovery.ts';
import { openJournal, readJournal } from './journal.ts';
import { operatorOf } from './operator.ts';
import { type Counts, countsOf, withCounts } from './own/counts.ts';
import { DATABASE_PROCESS, type Installation, startInstallation } from './own/installation.ts';
import { type OutsideServers, startOutsideServers } from './own/outsideServers.ts';
import { RAISED_BOUNDS, RAISED_BOUNDS_NOTICE } from './own/raisedBounds.ts';
import { runTool } from './own/target.ts';
import { type Person, registerMany } from './people.ts';
import { type Random, seededRandom } from './random.ts';

/**
 * Kills processes of a working installation with SIGKILL, one after the other at random moments under load, or lets them
 * sleep (SIGSTOP) for longer than their leases run. Afterwards it checks from outside that nothing acknowledged was lost and
 * nothing happened twice.
 */
export type Kill = {
  process: string;
  how: 'kill' | 'pause' | 'flush';
  atMs: number;
  /** Milliseconds until everything worked again, for a pause possibly before the process woke up. Undefined: it never did. */
  recoveryMs: number | undefined;
};
export type DrillResult = {
  kills: Kill[];
  /** Processes that ended although they were not killed, except after a kill of PostgreSQL, which may end others. */
  unexpectedExits: string[];
  /** The number of commands that the clients sent. */
  sent: number;
  audit: AuditResult;
  exitCode: number;
};
export type DrillOptions = {
  kills: number;
  /** How many processes are put to sleep. */
  pauses?: number;
  /** How long a process sleeps. */
  sleepMs?: number;
  seed: number;
  clients: number;
  /** The longest time between a recovery and the next kill or pause. */
  pauseMs: number;
  /** Kafka and Redis of the installation, which are killed as well. Redis is also emptied. */
  outside?: OutsideServers;
};

const SYMBOLS = [
  { symbol: 'DRILLA', midCents: 10_000 },
  { symbol: 'DRILLB', midCents: 2_500 },
];
/** The price of the probe's orders: within the collar of 10 %, and below all bids of the clients. */
const PROBE_CENTS = 9_500;
const CASH_CENTS = 100_000_000;
const SHARES = 1_000_000;
/** The longest that a recovery may take: all of BrokerX restarts after a kill of PostgreSQL, on a busy machine. */
const RECOVERY_MAX_MS = 90_000;
/** The longest pause between two attempts of the probe, which bounds the error of a recovery's time. */
const PROBE_PAUSE_MAX_MS = 50;
/** How long a process sleeps: a lease runs for 5 s, so another process has taken over by then. */
const SLEEP_MS = 8_000;
const REDIS_PROCESS = 'redis';
/** Processes that are not killed, because the system need not survive their deaths. */
const SPARED = /supervisor|traders|^brokerx$/;

export async function crashDrill(installation: Installation, options: DrillOptions): Promise<DrillResult> {
  const { status } = installation;
  const random = seededRandom(options.seed);
  const api = brokerApi({
    ...status,
    attemptTimeoutMs: 5_000,
    patienceMs: RECOVERY_MAX_MS,
  });
  const apis = [api];
  // The journals are in the installation's folder, so they are removed with it, however this process ends.
  const folder = mkdtempSync(join(installation.dataDir, 'journals-'));
  const stop = new AbortController();
  try {
    const operator = await operatorOf(api, status.operatorEmail, status.operatorPassword);
    for (const { symbol, midCents } of SYMBOLS) {
      await operator.list({ symbol, name: 'Crash drill', listingCents: midCents });
    }
    // With several command-apis each account has a client at each of them, so that they contend for it all the time.
    const clientApis = status.commandUrls.map((_, first) => {
      const commandUrls = [...status.commandUrls.slice(first), ...status.commandUrls.slice(0, first)];
      return brokerApi({ ...status, commandUrls, attemptTimeoutMs: 5_000, patienceMs: RECOVERY_MAX_MS });
    });
    apis.push(...clientApis);
    const accounts = Math.ceil(options.clients / clientApis.length);
    const people = await registerMany(api, 'drill', accounts + 1);
    for (const { accountId } of people) {
      await operator.exemptAccount(accountId);
      await operator.giveCash(accountId, CASH_CENTS);
      for (const { symbol } of SYMBOLS) await operator.giveShares(accountId, symbol, SHARES);
    }
    const prober = people.pop() as Person;
    const journalFile = (index: number) => join(folder, `client-${index}.jsonl`);
    const clients = people
      .flatMap((person) => clientApis.map((clientApi) => ({ person, clientApi })))
      .map(({ person, clientApi }, index) =>
        drillClient({
          api: clientApi,
          person,
          journal: openJournal(journalFile(index)),
          random: seededRandom(options.seed * 1_000 + index),
          symbols: SYMBOLS,
          stop: stop.signal,
        }),
      );
    const probeApi = brokerApi({
      ...status,
      attemptTimeoutMs: 2_000,
      pauseMaxMs: PROBE_PAUSE_MAX_MS,
    });
    apis.push(probeApi);
    const probe = {
      api: probeApi,
      person: prober,
      symbol: SYMBOLS[0]?.symbol ?? '',
      priceCents: PROBE_CENTS,
    };
    const { kills, unexpectedExits } = await killInTurn(installation, options, random, (waitMs) =>
      timeToRecovery(probe, waitMs),
    );
    stop.abort();
    await Promise.all(clients.map(({ done }) => done));
    progress('auditing …');
    const audit = await auditInstallation({
      api,
      operator: operator.person,
      journals: clients.flatMap((_, index) => readJournal(journalFile(index))),
    });
    const allRecovered = kills.every(({ recoveryMs }) => recoveryMs !== undefined);
    return {
      kills,
      unexpectedExits,
      sent: clients.reduce((sum, client) => sum + client.sent(), 0),
      audit,
      exitCode:
        audit.exitCode ||
        (allRecovered ? (unexpectedExits.length > 0 ? EXIT.unexpectedExit : EXIT.ok) : EXIT.liveness),
    };
  } finally {
    stop.abort();
    await Promise.all(apis.map((each) => each.close()));
  }
}

/** Kills or pauses one process after the other, each time after everything works again. */
async function killInTurn(
  installation: Installation,
  { kills: killCount, pauses: pauseCount = 0, pauseMs, sleepMs = SLEEP_MS, outside }: DrillOptions,
  random: Random,
  recovery: Recovery,
): Promise<{ kills: Kill[]; unexpectedExits: string[] }> {
  const begunMs = performance.now();
  const kills: Kill[] = [];
  const unexpectedExits: string[] = [];
  const pids = () => ({ ...installation.pids(), ...outside?.pids() });
  const victims = Object.keys(pids()).filter((name) => !SPARED.test(name));
  // PostgreSQL is not paused: while it does not answer nothing else can work.
  const sleepers = victims.filter((name) => name !== DATABASE_PROCESS);
  const [nextVictim, nextSleeper] = [inTurn(victims, random), inTurn(sleepers, random)];
  const count = killCount + pauseCount;
  for (let index = 0, pausesLeft = pauseCount; index < count; index++) {
    const isPause = random.chance(pausesLeft / (count - index));
    if (isPause) pausesLeft -= 1;
    const name = isPause ? nextSleeper() : nextVictim();
    const how = isPause ? 'pause' : name === REDIS_PROCESS && random.chance(0.5) ? 'flush' : 'kill';
    await delay(random.below(pauseMs + 1));
    const before = await allRunning(pids, victims);
    const pid = before[name] as number;
    if (how === 'kill') process.kill(pid, 'SIGKILL');
    if (how === 'flush') await outside?.flushRedis();
    const recoveryMs = isPause ? await pause(pid, sleepMs, recovery) : await recovery(RECOVERY_MAX_MS);
    kills.push({ process: name, how, atMs: performance.now() - begunMs, recoveryMs });
    progress(
      `${how} ${index + 1} of ${count}: ${name}, ${recoveryMs === undefined ? 'NOT recovered' : `works again after ${Math.round(recoveryMs)} ms`}`,
    );
    if (recoveryMs === undefined) break;
    if (name === DATABASE_PROCESS) continue; // Its end may end any other process.
    const after = await allRunning(pids, victims);
    for (const other of victims) {
      if ((other !== name || how !== 'kill') && after[other] !== before[other])
        unexpectedExits.push(`${other} after the ${how} of ${name}`);
    }
  }
  return { kills, unexpectedExits };
}

/** Returns a function that gives the next name: all kinds of processes in turn, and within a kind all processes in turn. */
function inTurn(names: readonly string[], random: Random): () => string {
  const kinds = Map.groupBy(names, (name) => name.replace(/-\d+$/, ''));
  const nextOf = new Map(Array.from(kinds, ([kind, own]) => [kind, inRounds(own, random)]));
  const nextKind = inRounds([...kinds.keys()], random);
  return () => nextOf.get(nextKind())?.() ?? '';
}

/** Returns a function that gives the next name: each once in a random order, then again in another one. */
function inRounds(names: readonly string[], random: Random): () => string {
  let round: string[] = [];
  return () => {
    if (round.length === 0) round = [...names];
    return round.splice(random.below(round.length), 1)[0] as string;
  };
}

/** Waits until everything works. Resolves with the milliseconds, or with undefined after `waitMs`. */
type Recovery = (waitMs: number) => Promise<number | undefined>;

/** Lets a process sleep. Everything must work again then, and once more after it has woken up. */
async function pause(pid: number, sleepMs: number, recovery: Recovery): Promise<number | undefined> {
  process.kill(pid, 'SIGSTOP');
  const wakingUp = delay(sleepMs).then(() => process.kill(pid, 'SIGCONT'));
  const recoveryMs = await recovery(RECOVERY_MAX_MS);
  await wakingUp;
  return (await recovery(RECOVERY_MAX_MS)) === undefined ? undefined : recoveryMs;
}

/** Waits until every process has a pid, because a killed one has none before its restart. Returns the pids. */
async function allRunning(
  current: () => Record<string, number>,
  names: readonly string[],
): Promise<Record<string, number>> {
  const deadlineMs = performance.now() + RECOVERY_MAX_MS;
  for (;;) {
    const pids = current();
    if (names.every((name) => name in pids)) return pids;
    if (performance.now() > deadlineMs)
      throw new Error(`not all processes came back: ${Object.keys(pids).join(', ')}`);
    await delay(50);
  }
}

export function drillTable({ kills, unexpectedExits, sent }: DrillResult): string {
  const nameOf = ({ process, how }: Kill) =>
    how === 'kill' ? process : `${process}, ${how === 'pause' ? 'asleep' : 'emptied'}`;
  const names = [...new Set(kills.map(nameOf))].toSorted();
  const rows = [...names, 'all'].map((name) => {
    const own = kills.filter((kill) => name === 'all' || nameOf(kill) === name);
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
  const program = withCounts(new Command('crash-drill').exitOverride(usageExit))
    .description(
      'Kills -9 every process of an installation of its own under load, then audits that nothing is lost or doubled.',
    )
    .option('--kills <n>', 'how many', wholeNumber(0), 20)
    .option('--pauses <n>', 'how many are put to sleep', wholeNumber(0), 0)
    .option('--sleep-ms <ms>', 'for how long; a lease runs for 5 s', wholeNumber(0), SLEEP_MS)
    .option('--kafka', 'with a Kafka of its own, which is killed as well', false)
    .option('--redis', 'with a Redis of its own, which is killed and emptied as well', false)
    .option('--seed <n>', 'of moments, victims and orders', wholeNumber(0), 1)
    .option('--clients <n>', 'clients that send commands meanwhile', wholeNumber(1), 6)
    .option('--pause-ms <ms>', 'at most so long between a recovery and the next kill', wholeNumber(0), 1_500)
    .option('--json', 'one JSON object with `ok` on the last line')
    .parse();
  type CommandOptions = Omit<DrillOptions, 'outside'> &
    Counts & { kafka: boolean; redis: boolean; json?: boolean };
  const options = program.opts<CommandOptions>();
  if (options.kills + (options.pauses ?? 0) === 0)
    program.error('error: with --kills 0 and --pauses 0 there is nothing to do');
  await runTool(options.json, async () => {
    progress(RAISED_BOUNDS_NOTICE);
    const outside = await startOutsideServers(options);
    let installation: Installation | undefined;
    try {
      installation = await startInstallation({
        counts: countsOf(options),
        env: { ...RAISED_BOUNDS, ...outside.env },
      });
      const result = await crashDrill(installation, { ...options, outside });
      print(drillTable(result));
      print(auditTable(result.audit));
      return {
        exitCode: result.exitCode,
        figures: {
          kills: result.kills,
          unexpected_exits: result.unexpectedExits,
          sent: result.sent,
          audit: auditFigures(result.audit),
          ...circumstances(options.seed),
        },
      };
    } finally {
      await installation?.stop();
      await outside.stop();
    }
  });
}

if (import.meta.main) await main();
