import { constants, PerformanceObserver, performance } from 'node:perf_hooks';
import { setImmediate as breathe } from 'node:timers/promises';
import {
  type Contender,
  type ContenderName,
  contender,
  type Kept,
  type Row,
  type Told,
} from './contenders.ts';
import type { EXCHANGE_CORE } from './exchangeCore.ts';
import { type Flow, orderIds, ROW } from './flows.ts';

/**
 * One contender on one flow, in a process of its own. Commands are said in its words outside the clock: of the
 * recorded morning once, before the first pass; of the deep flow a chunk at a time, and each is met once. Passes and
 * chunks take turns: one is timed as a whole, the next one operation by operation.
 */
export type Figures = {
  name: ContenderName | typeof EXCHANGE_CORE;
  flow: Flow['name'];
  operations: number;
  perSecond: number;
  /** Measured in this thread's processor time, which other load on the machine affects less. */
  cpuNanosPerOperation: number;
  /** The time of one operation, with that of reading the clock, without garbage collection. */
  nanos: { p50: number; p99: number; p999: number; max: number };
  gc: {
    pauses: number;
    medianMs: number;
    longestMinorMs: number;
    longestMajorMs: number;
    shareOfTime: number;
  };
  bytesPerRestingOrder: number | null;
  /** Measured for the whole deep book at the end. */
  kept: Kept | null;
  /** By chunk: what all contenders must agree on, as far as each of them came. */
  told: Told[];
};

/** As many as the engine is given at once by its feed. */
const CHUNK = 1_000;
/** One timed in each way, however long they take. */
const CHUNKS_MIN = 2;
/** What was traded is told after so many chunks. */
const CHUNKS_TOLD = 10;
const WARM_UP_MS = 1_500;
/** Passes over the recorded morning, also to warm up: on a busy machine the time alone brings few. */
const PASSES_MIN = 30;
const ACCOUNTS = { recorded: 1_000, deep: 10_000 };
/** The deep flow is met once, and slowly by some: it gets so many times the time. */
const DEEP_FOR = 4;
/** Slower ones are looked up one by one, whether a collection lay in them. */
const SLOW_MS = 0.005;

export async function measure(
  name: ContenderName,
  flow: Flow,
  seed: number,
  forMs: number,
): Promise<Figures> {
  const runner = prepared(name, flow, seed);
  return flow.build === 0 ? await repeated(runner, forMs) : await deep(runner, forMs);
}

type Runner = ReturnType<typeof prepared>;

function prepared(name: ContenderName, flow: Flow, seed: number) {
  const { rows } = flow;
  const idOf = orderIds(seed);
  const accountOf = orderIds(seed + 1);
  const accounts = Array.from({ length: ACCOUNTS[flow.name] }, (_, account) => accountOf(account));
  const contending: Contender = contender(name, accounts);
  const commands = (from: number, to: number): unknown[] => {
    const made: unknown[] = [];
    for (let at = from; at < to; at++) {
      const [kind = 0, order = 0, priceTicks = 0, signed = 0] = rows.subarray(at * ROW, at * ROW + ROW);
      const row: Row = {
        kind,
        orderId: idOf(order),
        accountId: accounts[Math.abs(order) % accounts.length] as string,
        side: signed > 0 ? 'buy' : 'sell',
        priceTicks,
        shares: Math.abs(signed),
      };
      made.push(contending.command(row));
    }
    return made;
  };
  return { name, flow, contending, commands, count: rows.length / ROW, watch: watch() };
}

/** A small flow again and again, a new book each time. */
async function repeated(runner: Runner, forMs: number): Promise<Figures> {
  const { contending, commands, count, watch } = runner;
  const all = commands(0, count);
  let told: Told | undefined;
  const passes = async (forMs: number) => {
    const end = performance.now() + forMs;
    for (let pass = 0; pass < PASSES_MIN || performance.now() < end; pass++) {
      await breathe();
      const book = contending.open();
      watch.next(contending, book, all);
      const now = contending.told(book);
      if (told && JSON.stringify(told) !== JSON.stringify(now)) throw new Error('two passes differ');
      told = now;
    }
  };
  await passes(WARM_UP_MS);
  await watch.reset();
  await passes(forMs);
  return { ...(await figures(runner, told ? [told] : [])), bytesPerRestingOrder: null, kept: null };
}

/** The book is built up first, which also warms up; then what follows is measured once. */
async function deep(runner: Runner, forMs: number): Promise<Figures> {
  const { contending, commands, count, watch, flow } = runner;
  const before = heapBytes();
  const book = contending.open();
  for (let from = 0; from < flow.build; from += CHUNK) {
    watch.next(contending, book, commands(from, Math.min(flow.build, from + CHUNK)));
    await breathe();
  }
  const bytes = (heapBytes() - before) / contending.told(book).resting;
  await watch.reset();
  const end = performance.now() + DEEP_FOR * forMs;
  const told: Told[] = [];
  const mayGoOn = (chunk: number) => chunk <= CHUNKS_MIN || performance.now() < end;
  for (let from = flow.build, chunk = 1; from < count && mayGoOn(chunk); from += CHUNK, chunk++) {
    watch.next(contending, book, commands(from, Math.min(count, from + CHUNK)));
    if (chunk === CHUNKS_MIN || chunk % CHUNKS_TOLD === 0) told.push(contending.told(book));
    await breathe();
  }
  const measured = await figures(runner, told);
  return { ...measured, bytesPerRestingOrder: bytes, kept: contending.keep?.(book) ?? null };
}

function watch() {
  let slow: { begin: number; end: number }[] = [];
  let nanos = new Float64Array(1 << 20);
  let timed = 0;
  let operations = 0;
  let wallMs = 0;
  let cpuMicros = 0;
  let begun = performance.now();
  let collections: { begin: number; end: number; major: boolean }[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { startTime: begin, duration } = entry;
      const { kind } = (entry as unknown as { detail: { kind: number } }).detail;
      collections.push({ begin, end: begin + duration, major: kind !== constants.NODE_PERFORMANCE_GC_MINOR });
    }
  });
  observer.observe({ entryTypes: ['gc'] });

  let turn = 0;
  const timers = {
    next(contending: Contender, book: unknown, commands: readonly unknown[]) {
      turn += 1;
      if (turn % 2 === 0) timers.whole(contending, book, commands);
      else timers.each(contending, book, commands);
    },
    whole({ apply }: Contender, book: unknown, commands: readonly unknown[]) {
      const cpu = process.threadCpuUsage();
      const begin = performance.now();
      for (const command of commands) apply(book, command);
      wallMs += performance.now() - begin;
      const { user, system } = process.threadCpuUsage(cpu);
      cpuMicros += user + system;
      operations += commands.length;
    },
    each({ apply }: Contender, book: unknown, commands: readonly unknown[]) {
      if (timed + commands.length > nanos.length) nanos = doubled(nanos);
      for (const command of commands) {
        const begin = performance.now();
        apply(book, command);
        const end = performance.now();
        if (end - begin < SLOW_MS) nanos[timed++] = (end - begin) * 1e6;
        else slow.push({ begin, end });
      }
    },
    async reset() {
      await breathe();
      [slow, timed, operations, wallMs, cpuMicros, collections] = [[], 0, 0, 0, 0, []];
      begun = performance.now();
    },
    async result() {
      const elapsed = performance.now() - begun;
      // Collections are told a turn of the loop later.
      await breathe();
      await breathe();
      observer.disconnect();
      collections = collections.filter(({ begin }) => begin >= begun);
      const outside = slow.filter(
        ({ begin, end }) => !collections.some((c) => c.begin < end && c.end > begin),
      );
      const all = new Float64Array(timed + outside.length);
      all.set(nanos.subarray(0, timed));
      for (const [i, { begin, end }] of outside.entries()) all[timed + i] = (end - begin) * 1e6;
      all.sort();
      const longest = (major: boolean) =>
        collections.reduce((most, c) => (c.major === major ? Math.max(most, c.end - c.begin) : most), 0);
      const at = (share: number) => Math.round(all[Math.floor(share * (all.length - 1))] ?? 0);
      return {
        operations: operations + timed + slow.length,
        perSecond: Math.round(operations / (wallMs / 1_000)),
        cpuNanosPerOperation: Math.round((cpuMicros * 1_000) / operations),
        nanos: { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) },
        gc: {
          pauses: collections.length,
          medianMs: middle(collections.map(({ begin, end }) => end - begin)),
          longestMinorMs: longest(false),
          longestMajorMs: longest(true),
          shareOfTime: collections.reduce((sum, c) => sum + c.end - c.begin, 0) / elapsed,
        },
      };
    },
  };
  return timers;
}

const middle = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;

const doubled = (array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
  const larger = new Float64Array(2 * array.length);
  larger.set(array);
  return larger;
};

async function figures({ name, flow, watch }: Runner, told: Told[]) {
  return { name, flow: flow.name, ...(await watch.result()), told };
}

function heapBytes(): number {
  if (!globalThis.gc) throw new Error('--expose-gc is needed');
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
