import { setTimeout as delay } from 'node:timers/promises';
import { orderBodies } from '../../bench/orderMix.ts';
import { seededRandom } from '../../random.ts';
import type { Action, Scenario } from '../scenarios/scenario.ts';
import { type Connections, connections, REPLY_TIMEOUT_MS } from './connections.ts';
import { draw, weighted } from './draw.ts';
import { journalFile } from './journalFile.ts';
import { openLoop, userLoop } from './loops.ts';
import { outcomes } from './outcomes.ts';
import { type Performer, perform } from './performer.ts';
import type { FromGenerator, LoadPlan, ToGenerator } from './protocol.ts';
import { type Recorder, recorder } from './recorder.ts';
import { schedule } from './schedule.ts';
import { sockets } from './sockets.ts';
import { streams } from './streams.ts';
import { tokens } from './tokens.ts';

/**
 * A generator process: makes its part of a load, and tells each interval what it sent and got. It shares nothing with the
 * process that runs the scenario, so that neither waits for the other.
 */
const BODIES = 4_096;
const DRAIN_POLL_MS = 20;

const tell = (message: FromGenerator): void => void process.send?.(message);

async function load(plan: LoadPlan, started: Promise<number>, stop: AbortSignal): Promise<void> {
  const { scenario, users, intervalMs } = plan;
  let measuredFromMs = Number.POSITIVE_INFINITY;
  const counts = recorder(() => measuredFromMs);
  const parts = partsOf(plan, counts);
  const { all, journal, own, overSockets, market, tokens: current } = parts;
  const cancels = actionsOf(scenario).includes('cancel');
  const told = outcomes({ users, recorder: counts, journal, cancels });
  const by: Performer = {
    users,
    ...parts,
    sockets: overSockets,
    recorder: counts,
    outcomes: told,
    ...ordersOf(plan),
  };
  await overSockets?.opened();
  tell({ kind: 'ready' });
  const beginMs = (await started) - performance.timeOrigin;
  measuredFromMs = beginMs + scenario.warmUpSeconds * 1_000;
  let activeUsers = 0;
  const indexNow = () => Math.max(0, Math.floor((performance.now() - beginMs) / intervalMs));
  const take = (index: number) =>
    tell({
      kind: 'interval',
      interval: counts.take(index, {
        inFlight: sum(all, (one) => one.inFlight()) + (overSockets?.inFlight() ?? 0),
        waiting: sum(all, (one) => one.waiting()),
        users: activeUsers,
        slowOpen: market?.slowOpen() ?? 0,
      }),
    });
  let nextIndex = 0;
  const ticker = setInterval(() => {
    while (nextIndex < indexNow()) take(nextIndex++);
  }, 100);

  const active = (by: number) => {
    activeUsers += by;
  };
  await drive(plan, own, { beginMs, by, active }, stop);
  const deadline = performance.now() + REPLY_TIMEOUT_MS + 2_000;
  const busy = () => sum(all, (one) => one.inFlight() + one.waiting()) + (overSockets?.inFlight() ?? 0) > 0;
  while (busy() && performance.now() < deadline) await delay(DRAIN_POLL_MS);
  clearInterval(ticker);
  for (const one of all) one.close();
  overSockets?.close();
  market?.close();
  // Connections that were cut off tell so in their own turn.
  await delay(DRAIN_POLL_MS);
  while (nextIndex <= indexNow()) take(nextIndex++);
  current.stop();
  journal.close();
  const { renewals, failed } = current.stats();
  tell({ kind: 'ended', last: told.last(), renewals, renewalsFailed: failed });
}

/** Everything that requests of this process go through. */
function partsOf(plan: LoadPlan, counts: Recorder) {
  const { scenario, seed, users, index, of, commandUrls, queryUrls, connectionsMax } = plan;
  const own = users.map((_, user) => user).filter((user) => user % of === index);
  const open = (urls: readonly string[]) => urls.map((url) => connections(url, connectionsMax));
  const [commandServers, queryServers] = [open(commandUrls), open(queryUrls)];
  // A user's requests all go to one server of a kind, which has the user's state in memory.
  const serverOf = (servers: readonly Connections[]) => (user: number) =>
    servers[user % servers.length] as Connections;
  const ownUsers = new Set(own);
  const current = tokens(
    users.map((user, at) => ({
      ...user,
      expiresMs: ownUsers.has(at) ? user.expiresMs : Number.POSITIVE_INFINITY,
      url: serverOf(commandServers)(at),
    })),
    seed,
  );
  const usesSockets = actionsOf(scenario).includes('place_over_websocket');
  const some = (count: number) =>
    Array.from({ length: count }, (_, n) => n)
      .filter((n) => n % of === index)
      .map((n) => plan.symbols[n % plan.symbols.length] ?? '');
  const { followers, slowClients } = scenario;
  const hasStreams = followers + slowClients > 0;
  return {
    own,
    all: [...commandServers, ...queryServers],
    commands: serverOf(commandServers),
    queries: serverOf(queryServers),
    tokens: current,
    journal: journalFile(plan.journalFile),
    overSockets: usesSockets ? sockets(queryUrls[0] ?? '', own, current) : undefined,
    market: hasStreams
      ? streams({
          queryUrl: queryUrls[0] ?? '',
          followers: some(followers),
          slow: some(slowClients),
          took: counts.streamed,
        })
      : undefined,
  };
}

/** What orders of this scenario look like; bodies are made once and sent many times. */
function ordersOf({ scenario: { orders, hotSymbolShare }, seed, symbols }: LoadPlan) {
  const symbolOf = (n: number) =>
    draw(seed, n, 2) < hotSymbolShare
      ? (symbols[0] ?? '')
      : (symbols[Math.floor(draw(seed, n, 3) * symbols.length)] ?? '');
  if (orders.kind === 'fixed') {
    const { symbol, qty, limitPrice: limit_price } = orders;
    const body = JSON.stringify({ symbol, side: 'buy', qty, type: 'limit', limit_price });
    return { symbolOf, orderOf: () => body };
  }
  const bodies = orderBodies(seededRandom(seed), BODIES, {
    symbols,
    hotShare: hotSymbolShare,
    restsOnly: orders.kind === 'resting',
  }).map(String);
  return { symbolOf, orderOf: (n: number) => bodies[Math.floor(draw(seed, n, 4) * BODIES)] as string };
}

type Driving = {
  beginMs: number;
  by: Performer;
  active(by: number): void;
};

async function drive(
  plan: LoadPlan,
  own: readonly number[],
  driving: Driving,
  stop: AbortSignal,
): Promise<void> {
  const { scenario, seed, users, of, index } = plan;
  const { beginMs, by, active } = driving;
  const { warmUpSeconds, drive: how, hotUserShare } = scenario;
  const seconds = warmUpSeconds + scenario.seconds;
  const action = how.by === 'rate' ? weighted(Object.entries(how.mix) as [Action, number][]) : undefined;
  if (how.by === 'rate' && how.rate > 0 && action) {
    active(own.length);
    // While it warms up the rate is that of the first phase's beginning.
    const [first] = how.phases;
    const warmUp = { share: warmUpSeconds / scenario.seconds, from: first?.from ?? 1, to: first?.from ?? 1 };
    const sum = how.phases.reduce((total, { share }) => total + share, 0);
    const phases = [warmUp, ...how.phases.map((phase) => ({ ...phase, share: phase.share / sum }))];
    const send = (n: number, dueMs: number) => {
      const user =
        hotUserShare > 0 && draw(seed, n, 0) < hotUserShare ? 0 : Math.floor(draw(seed, n, 1) * users.length);
      if (user % of === index) perform(by, action(draw(seed, n, 5)), { user, n, dueMs });
    };
    return openLoop(schedule(how.rate, seconds, phases), beginMs, send, stop);
  }
  const [upMs, downMs] =
    how.by === 'users' ? [how.rampUpSeconds * 1_000, how.rampDownSeconds * 1_000] : [0, 0];
  await Promise.all(
    own.map(async (user) => {
      const place = (user + 1) / users.length;
      const numberOf = (step: number) => step * users.length + user;
      const loop = {
        beginMs: beginMs + upMs * (user / users.length),
        endMs: beginMs + seconds * 1_000 - downMs * (1 - place),
        action: (step: number) =>
          how.by === 'users'
            ? (how.journey[step % how.journey.length] as Action)
            : (action?.(draw(seed, numberOf(step), 5)) as Action),
        journeyLength: how.by === 'users' ? how.journey.length : 1,
        restMs: how.by === 'users' ? how.restMs : 0,
        perform: (what: Action, step: number, dueMs: number, done: (status: number) => void) =>
          perform(by, what, { user, n: numberOf(step), dueMs, finished: done }),
      };
      await delay(Math.max(0, loop.beginMs - performance.now()));
      active(1);
      await userLoop(loop, stop);
      active(-1);
    }),
  );
}

const actionsOf = ({ drive: how }: Scenario): readonly Action[] =>
  how.by === 'users' ? how.journey : (Object.keys(how.mix) as Action[]);

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0);

function main(): void {
  const started = Promise.withResolvers<number>();
  const stop = new AbortController();
  // Gone with whoever started it, however that one ended.
  process.on('disconnect', () => process.exit(0));
  process.on('SIGINT', () => stop.abort());
  process.on('message', (message: ToGenerator) => {
    if (message.kind === 'start') started.resolve(message.beginMs);
    else if (message.kind === 'stop') stop.abort();
    else if (message.kind === 'load') {
      load(message, started.promise, stop.signal)
        // Whoever started it lets it go when all of it has been heard.
        .catch((error: unknown) => tell({ kind: 'failed', error: String((error as Error).stack ?? error) }));
    }
  });
}

if (import.meta.main) main();
