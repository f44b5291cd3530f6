import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import type { EngineInput } from '@brokerx/contracts';
import { causedBy, type Recorded, type Telemetry, type Verdict } from '@brokerx/infra';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';
import { MarketBroken } from '../recovery/marketBroken.ts';
import { type PackedCommit, packOutputs } from '../recovery/outputs.ts';
import type { Recovered, RecoverOptions } from '../recovery/recover.ts';
import { applyOrBreak } from '../recovery/replay.ts';
import { outputTime } from '../rules/engine.ts';
import { type PackedState, packing, SNAPSHOT_KIND, SNAPSHOT_VERSION } from '../snapshot/packedState.ts';
import type { EngineMetrics } from './metrics.ts';

/**
 * One symbol's engine at work: applies inputs, sends what comes of them to the book in chained commits, and keeps
 * snapshots. It runs ahead of the store by a bounded number of commits; nothing is told to anybody before it is
 * stored. States: running → broken (its inputs are left alone; a restart recovers it, or finds the same again) or
 * abandoned (another process has the symbol, or may have it: nothing is applied or sent any more).
 */
export type SymbolEngine = {
  readonly symbol: string;
  /** Position of the last input applied. */
  position(): number;
  /** Why it does not go on; null while it does. */
  broken(): string | null;
  openOrders(): number;
  /** Inputs applied whose outputs are not known to be stored. */
  unacknowledged(): number;
  /** Applies the inputs that are new to it. Never throws for what is wrong with them. */
  take(inputs: readonly Recorded<EngineInput>[]): void;
  /** Sends all that is waiting; resolves when it is stored, or failed. */
  settled(): Promise<void>;
  /** Ends it at once; what is on its way is fenced by its expected revision, wherever it arrives. */
  abandon(): void;
  /** Keeps a snapshot where it is due (or there is anything new, when `always`). */
  keepSnapshot(always?: boolean): Promise<void>;
};

export type SymbolEngineOptions = RecoverOptions & {
  metrics: EngineMetrics;
  telemetry: Telemetry;
  /** Called once when the book cannot be written any more: another engine has taken over, or the store is gone. */
  onFailed(error: Error): void;
};

/** Another engine owns this book now. */
export class Fenced extends Error {
  override name = 'Fenced';
}

/**
 * While so many commits are on their way, outputs gather in the open one: one is in flight, one is ready to
 * follow it. More would only make more and smaller rows.
 */
const COMMITS_ON_THEIR_WAY_MAX = 2;
/** A snapshot costs as much as the book has orders, so it waits for as many inputs more. */
const SNAPSHOT_INPUTS = 10_000;
const SNAPSHOT_AFTER_MS = 60_000;

export function symbolEngine(options: SymbolEngineOptions, symbol: string, begin: Recovered): SymbolEngine {
  const { store, appender, snapshots, runtime, log, metrics, telemetry } = options;
  const { engine } = begin;
  const outputs = packOutputs(symbol, begin.revision, runtime);
  let position = begin.position;
  let broken: string | null = null;
  let failed = false;
  let onTheirWay = 0;
  let applied = 0;
  let stored = 0;
  let lastSent: Promise<void> = Promise.resolve();
  let snapshotInputs = begin.replayed;
  let snapshotMs = runtime.monotonicMs();
  let keeping: Promise<void> | null = null;

  const fail = (error: Error) => {
    if (failed) return;
    failed = true;
    options.onFailed(error);
  };

  const send = ({ commit, inputs, traceparents, revision }: PackedCommit) => {
    if (failed) return;
    onTheirWay += 1;
    const sentMs = runtime.monotonicMs();
    const attributes = { 'brokerx.symbol': symbol, 'brokerx.inputs': inputs };
    const span = { kind: 'consumer', ...causedBy(traceparents), attributes } as const;
    lastSent = telemetry
      .span('match', span, () => appender.append(commit))
      .then(
        (verdict) => {
          onTheirWay -= 1;
          metrics.appendSeconds.observe((runtime.monotonicMs() - sentMs) / 1_000);
          if (failed || !stands(verdict, revision)) return;
          stored += inputs;
          metrics.outputs.inc(commit.events.length);
          offer();
        },
        (error: unknown) => fail(new Error(`${commit.stream} could not be written`, { cause: error })),
      );
  };

  /** The ids of commits are minted here and now, so that a duplicate can only be the appender's own retry. */
  const stands = (verdict: Verdict, revision: number): boolean => {
    if (verdict.verdict === 'ok' || verdict.verdict === 'duplicate') {
      assert.equal(verdict.revision, revision, `${symbol}: stored at another revision than sent`);
      return true;
    }
    fail(new Fenced(`book-${symbol}: ${JSON.stringify(verdict)}: another engine has taken over`));
    return false;
  };

  const flush = () => {
    const open = outputs.take();
    if (open) send(open);
  };
  const offer = () => {
    if (onTheirWay < COMMITS_ON_THEIR_WAY_MAX) flush();
  };

  const breakMarket = (error: MarketBroken) => {
    broken = error.message;
    log.fatal({ err: error, symbol, position }, 'this market is stopped: its engine cannot go on');
  };

  const apply = (input: Recorded<EngineInput>) => {
    const facts = applyOrBreak(engine, input);
    for (const full of outputs.add(input, facts, outputTime(engine, input.event))) send(full);
    position = input.position;
    applied += 1;
    snapshotInputs += 1;
  };

  const keep = async (): Promise<void> => {
    // Before the first wait: state, revision and position are of one moment.
    flush();
    const revision = outputs.revision();
    const steps = packing(engine);
    steps.next();
    const cursor = { storeId: store.id, position };
    const sent = lastSent;
    snapshotInputs = 0;
    snapshotMs = runtime.monotonicMs();
    const packed = await inTurns(steps, () => failed);
    await sent;
    if (failed || !packed) return;
    try {
      await snapshots.save(
        { kind: SNAPSHOT_KIND, key: symbol, version: SNAPSHOT_VERSION },
        { cursor, revision, ...packed },
      );
      metrics.snapshots.inc();
    } catch (error) {
      log[unlessOutage(error, 'warn')](
        { err: error, symbol },
        'a snapshot could not be kept; the next one will do',
      );
    }
  };

  if (begin.missing) {
    const { input, facts, time } = begin.missing;
    for (const full of outputs.add(input, facts, time)) send(full);
    applied += 1;
    flush();
  }

  return {
    symbol,
    position: () => position,
    broken: () => broken,
    openOrders: () => engine.book.orders.size,
    unacknowledged: () => applied - stored,
    take(inputs) {
      for (const input of inputs) {
        if (broken !== null || failed) break;
        if (input.position <= position) continue;
        try {
          apply(input);
        } catch (error) {
          if (!(error instanceof MarketBroken)) throw error;
          breakMarket(error);
        }
      }
      offer();
    },
    abandon() {
      failed = true;
    },
    async settled() {
      flush();
      await lastSent;
    },
    async keepSnapshot(always = false) {
      const due =
        snapshotInputs >= SNAPSHOT_INPUTS + engine.book.orders.size ||
        runtime.monotonicMs() - snapshotMs >= SNAPSHOT_AFTER_MS;
      // The last one is to be of the very end.
      if (keeping && always) await keeping;
      if (keeping || broken !== null || failed || snapshotInputs === 0 || !(due || always))
        return keeping ?? undefined;
      keeping = keep().finally(() => {
        keeping = null;
      });
      return keeping;
    },
  };
}

/** Takes the steps in turns with whatever else there is to do; null where they are given up. */
async function inTurns(
  steps: Generator<void, PackedState>,
  isGivenUp: () => boolean,
): Promise<PackedState | null> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await setImmediate();
    if (!isGivenUp()) continue;
    steps.return({ state: '', parts: [] });
    return null;
  }
}
