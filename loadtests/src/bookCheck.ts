import { setTimeout as delay } from 'node:timers/promises';
import { type BookStats, brokerApi, followBook, followOrders, openSession, pause } from '@brokerx/client';
import { Command } from 'commander';
import { type Compared, comparison } from './bookCheck/comparison.ts';
import { type DroppingProxy, droppingProxy } from './bookCheck/droppingProxy.ts';
import { circumstances, EXIT, print, progress, table } from './cli/report.ts';
import { usageExit } from './cli/usageExit.ts';
import { wholeNumber } from './cli/wholeNumber.ts';
import { openTarget, runTool, type Target, type TargetOptions, withTarget } from './own/target.ts';
import { registerMany } from './people.ts';
import { seededRandom } from './random.ts';
import { simulatedMarket, type Trader } from './traders/market.ts';

/**
 * Checks local books while simulated traders trade over WebSockets. With `--drops` each connection is cut off at a random
 * moment. Every local book must equal the server's, level by level or order by order, at moments in between and at the end.
 */
export type BookCheckOptions = {
  seconds: number;
  symbols: number;
  /** Local books by price level for each symbol, each over a connection of its own. One more follows each single order. */
  books: number;
  drops: boolean;
  /** How often the first query-api is killed, which forgets its updates. Only in an installation of the tool's own. */
  kills: number;
  /** How often trading is halted for a second. It resumes with an auction, in whose call the book may be crossed. */
  halts: number;
  roundMs: number;
  seed: number;
};
export type BookCheckResult = {
  commands: number;
  compared: number;
  passed: number;
  differences: string[];
  connections: { opened: number; lost: number; dropped: number };
  books: BookStats;
  exitCode: number;
};

/** The longest life of a connection with `--drops`. Most commands and snapshots take milliseconds. */
const LIFE_MS_MAX = 8_000;
const COMPARE_MS = 3_000;
const HALT_MS = 1_000;
const TAKERS = 2;
const CASH_CENTS = 1_000_000_000;
const SHARES = 10_000_000;
const LISTING_CENTS = 10_000;

export async function bookCheck(
  { api, operator, installation }: Pick<Target, 'api' | 'operator' | 'installation'>,
  options: BookCheckOptions,
): Promise<BookCheckResult> {
  const random = seededRandom(options.seed);
  const proxies: DroppingProxy[] = [];
  const viaProxy = async (to: string): Promise<string> => {
    if (!options.drops) return to;
    const seed = options.seed + 1 + proxies.length;
    const proxy = await droppingProxy(to, { random: seededRandom(seed), lifeMsMax: LIFE_MS_MAX });
    proxies.push(proxy);
    return proxy.url;
  };
  const queryUrl = await viaProxy(api.queryUrl);
  // Where several run, orders go over the last one, so that trading goes on while the first one is killed.
  const tradingUrl =
    api.queryUrls.length > 1 ? await viaProxy(api.queryUrls.at(-1) ?? api.queryUrl) : queryUrl;
  const proxied = brokerApi({ commandUrl: api.commandUrl, queryUrl });
  const direct = brokerApi({ commandUrl: api.commandUrl, queryUrl: api.queryUrl });
  const stop = new AbortController();
  const sessions: ReturnType<typeof openSession>[] = [];
  const session = ({ queryUrl, token }: { queryUrl: string; token?: () => Promise<string> }) => {
    const { positions } = api;
    const newSession = openSession({ api: { queryUrl, positions }, ...(token ? { token } : {}) });
    sessions.push(newSession);
    return newSession;
  };
  try {
    const symbols = Array.from({ length: options.symbols }, (_, n) => `CHECK${n + 1}`);
    for (const symbol of symbols)
      await operator.list({ symbol, name: 'Book check', listingCents: LISTING_CENTS });
    const people = await registerMany(api, 'check', 1 + TAKERS);
    const traders: Trader[] = [];
    for (const person of people) {
      await operator.exemptAccount(person.accountId);
      await operator.giveCash(person.accountId, CASH_CENTS);
      for (const symbol of symbols) await operator.giveShares(person.accountId, symbol, SHARES);
      traders.push({ person, session: session({ queryUrl: tradingUrl, token: person.token }) });
    }
    const [maker, ...takers] = traders as [Trader, ...Trader[]];
    const markets = symbols.map((symbol) => simulatedMarket({ api, symbol, maker, takers, random }));
    const connection = () => ({ session: session({ queryUrl }), api: proxied });
    const books = symbols.flatMap((symbol) =>
      Array.from({ length: options.books }, () => followBook(connection(), symbol)),
    );
    const orders = symbols.map((symbol) => followOrders(connection(), symbol));
    const comparisons = [comparison(direct, '/book', books), comparison(direct, '/book/orders', orders)];
    const resultSoFar = () => comparisons.map((each) => each.result()).reduce(joined);

    const endMs = performance.now() + options.seconds * 1_000;
    const trading = markets.map(async (market) => {
      while (performance.now() < endMs && !stop.signal.aborted) {
        await market.round();
        await pause(random.below(2 * options.roundMs + 1), stop.signal);
      }
    });
    const comparing = (async () => {
      while (performance.now() + COMPARE_MS < endMs && !stop.signal.aborted) {
        await delay(COMPARE_MS);
        for (const each of comparisons) await each.compare();
        const { compared: count, differences } = resultSoFar();
        progress(
          `${Math.round((endMs - performance.now()) / 1_000)} s to go: ${count} compared, ${differences.length} differ`,
        );
      }
    })();
    const evenly = async (count: number, act: () => Promise<void> | void) => {
      const everyMs = (options.seconds * 1_000) / (count + 1);
      for (let done = 0; done < count; done++) {
        await pause(everyMs, stop.signal);
        if (!stop.signal.aborted) await act();
      }
    };
    const halting = evenly(options.halts, async () => {
      for (const symbol of symbols) await operator.halt(symbol, 'book check');
      await delay(HALT_MS);
      for (const symbol of symbols) await operator.resume(symbol);
    });
    const killing = evenly(options.kills, () => {
      const [first] = Object.entries(installation?.pids() ?? {}).filter(([name]) =>
        name.startsWith('query-api'),
      );
      if (first) process.kill(first[1], 'SIGKILL');
    });
    await Promise.all([...trading, comparing, halting, killing]);
    for (const each of comparisons) await each.compareAtRest();

    const sums = [...books, ...orders].map((each) => each.stats()).reduce(added);
    const connections = sessions.map((each) => each.stats());
    const result = resultSoFar();
    return {
      commands: markets.reduce((sum, market) => sum + market.sent(), 0),
      ...result,
      connections: {
        opened: connections.reduce((sum, { opened }) => sum + opened, 0),
        lost: connections.reduce((sum, { lost }) => sum + lost, 0),
        dropped: proxies.reduce((sum, proxy) => sum + proxy.dropped(), 0),
      },
      books: sums,
      exitCode: exitCodeOf(result),
    };
  } finally {
    stop.abort();
    for (const each of sessions) each.close();
    await Promise.all([proxied.close(), direct.close(), ...proxies.map((proxy) => proxy.close())]);
  }
}

const joined = (a: Compared, b: Compared): Compared => ({
  compared: a.compared + b.compared,
  passed: a.passed + b.passed,
  differences: [...a.differences, ...b.differences],
});

const added = (a: BookStats, b: BookStats): BookStats => ({
  updates: a.updates + b.updates,
  syncs: a.syncs + b.syncs,
  gaps: a.gaps + b.gaps,
  mismatches: a.mismatches + b.mismatches,
  missed: a.missed + b.missed,
});

/** A run without a single comparison has checked nothing, so it fails. */
const exitCodeOf = ({ differences, compared }: { differences: readonly string[]; compared: number }) =>
  differences.length > 0 ? EXIT.mismatch : compared === 0 ? EXIT.liveness : EXIT.ok;

async function main(): Promise<void> {
  const program = withTarget(new Command('book-check').exitOverride(usageExit))
    .description('Simulated trading while local books follow it; every one of them must equal the server’s.')
    .option('--seconds <n>', 'of trading', wholeNumber(1), 60)
    .option('--symbols <n>', 'that are traded', wholeNumber(1), 3)
    .option('--books <n>', 'local books of each symbol', wholeNumber(1), 2)
    .option('--drops', 'cuts every connection off at random moments', false)
    .option(
      '--kills <n>',
      'how often the (first) query-api is killed, of an installation of its own',
      wholeNumber(0),
      0,
    )
    .option('--halts <n>', 'how often trading is halted, to go on with an auction', wholeNumber(0), 0)
    .option('--round-ms <ms>', 'between two rounds of quotes of a symbol, on average', wholeNumber(1), 300)
    .option('--seed <n>', 'of quotes, orders and drops', wholeNumber(0), 1)
    .parse();
  const options = program.opts<TargetOptions & BookCheckOptions>();
  await runTool(options.json, async () => {
    const target = await openTarget(options);
    try {
      const { exitCode, ...figures } = await bookCheck(target, options);
      print(
        table(
          ['book check', 'value'],
          [
            ['commands answered', figures.commands],
            ['books compared', figures.compared],
            ['differences', figures.differences.length],
            ['connections lost', figures.connections.lost],
            ['updates applied or kept', figures.books.updates],
            ['snapshots begun with', figures.books.syncs],
            ['gaps', figures.books.gaps],
            ['checksums that differed', figures.books.mismatches],
            ['resyncs asked for', figures.books.missed],
          ],
        ),
      );
      for (const difference of figures.differences) print(difference);
      return { exitCode, figures: { ...figures, ...circumstances(options.seed) } };
    } finally {
      await target.close();
    }
  });
}

if (import.meta.main) await main();
