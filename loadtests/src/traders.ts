import { brokerApi, openSession, pause as pauseUntilAborted } from '@brokerx/client';
import { pino } from 'pino';
import { ConfigError, EXIT_USAGE, loadConfig } from './config.ts';
import { type Operator, operatorOf } from './operator.ts';
import type { Person } from './people.ts';
import { seededRandom } from './random.ts';
import { loadCast, signInOrRegister } from './traders/cast.ts';
import { listDemoSymbols, simulatedMarket, type Trader, topUp } from './traders/market.ts';

/**
 * Runs simulated traders, so that a new installation has a market that moves. They list a few symbols, quote them around a
 * random walk, and trade now and then, a few orders a second in all. They use the public API like everybody else, and go on
 * after its restarts.
 */

/** The wait after a failure, so that an API that is away is not flooded with requests. */
const PAUSE_AFTER_FAILURE_MS = 2_000;
/** How long a command is repeated before the round is given up. */
const PATIENCE_MS = 20_000;
/** How often the traders' cash and shares are topped up. */
const TOP_UP_MS = 60_000;
/** How long a stop may take. Requests that are under way then are dropped. */
const STOP_MS = 3_000;

async function main(): Promise<void> {
  const config = loadConfig();
  const log = pino({
    level: config.LOG_LEVEL,
    base: { service: 'traders' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
  const stopping = new AbortController();
  const stop = () => {
    if (stopping.signal.aborted) process.exit(1);
    stopping.abort();
    setTimeout(() => process.exit(0), STOP_MS).unref();
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  // The process that started the traders has ended.
  process.once('disconnect', stop);
  process.channel?.unref();
  const api = brokerApi({
    commandUrl: config.COMMAND_API_URL,
    queryUrl: config.QUERY_API_URL,
    connections: 4,
    patienceMs: PATIENCE_MS,
  });
  const random = seededRandom(config.TRADERS_SEED);
  const pause = (ms: number) => pauseUntilAborted(ms, stopping.signal);

  /** Repeats until it works or the process is stopped: at the start, the services may not be ready. */
  const eventually = async <T>(description: string, act: () => Promise<T>): Promise<T | undefined> => {
    while (!stopping.signal.aborted) {
      try {
        return await act();
      } catch (error) {
        log.warn({ err: error }, `${description} did not work; trying again`);
        await pause(PAUSE_AFTER_FAILURE_MS);
      }
    }
    return undefined;
  };

  const { OPERATOR_EMAIL, OPERATOR_PASSWORD } = config;
  if (!OPERATOR_EMAIL || !OPERATOR_PASSWORD) {
    throw new Error('OPERATOR_EMAIL and OPERATOR_PASSWORD are needed to list symbols and to give means');
  }
  const operator = await eventually('signing in the operator', () =>
    operatorOf(api, OPERATOR_EMAIL, OPERATOR_PASSWORD),
  );
  const symbols = operator && (await eventually('listing symbols', () => listDemoSymbols(operator)));
  const cast = loadCast(config.TRADERS_STATE);
  const people: Person[] = [];
  for (const [index, { name }] of cast.people.entries()) {
    const person = await eventually(`bringing in ${name}`, () =>
      signInOrRegister(api, config.TRADERS_STATE, cast, index),
    );
    if (person) people.push(person);
  }
  const [maker, ...takers] = people;
  if (operator && symbols && maker && takers.length > 0) {
    for (const { name, email, password } of cast.people) {
      // One text on purpose: these are demonstration sign-ins, meant to be read and used.
      log.info(`you may sign in as ${name}: ${email} / ${password}`);
    }
    const trader = (person: Person): Trader => ({
      person,
      session: openSession({ api, token: person.token, patienceMs: PATIENCE_MS }),
    });
    await trade(operator, symbols, trader(maker), takers.map(trader));
  }
  await api.close();
  process.exit(0);

  async function trade(
    operator: Operator,
    symbols: readonly string[],
    maker: Trader,
    takers: readonly Trader[],
  ): Promise<void> {
    const markets = symbols.map((symbol) => simulatedMarket({ api, symbol, maker, takers, random }));
    let toppedUpMs = Number.NEGATIVE_INFINITY;
    while (!stopping.signal.aborted) {
      try {
        if (performance.now() > toppedUpMs + TOP_UP_MS) {
          for (const { person } of [maker, ...takers]) await topUp(api, operator, person, symbols);
          toppedUpMs = performance.now();
        }
        for (const market of markets) {
          if (stopping.signal.aborted) return;
          await market.round();
          await pause(config.TRADERS_ROUND_MS / markets.length);
        }
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.warn({ err: error }, 'a round of quotes did not work; trying again');
        await pause(PAUSE_AFTER_FAILURE_MS);
      }
    }
  }
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_USAGE);
  }
}
