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
 * Runs the engine of one symbol: applies inputs, appends their outputs to the book in chained commits, and saves
 * snapshots. The engine runs ahead of the store by a bounded number of commits; others see outputs only once stored.
 * States: running; *broken* (it ignores its inputs; a restart recovers it or breaks again); *abandoned* (another
 * process has the symbol, or may have it: nothing is applied or appended any more).
 */
export type SymbolEngine = {
  readonly symbol: string;
  /** The position of the last applied input. */
  position(): number;
  /** Why the market is stopped; null while it runs. */
  broken(): string | null;
  openOrders(): number;
  /** The number of applied inputs whose outputs are not known to be stored. */
  unacknowledged(): number;
  /** Applies the inputs that the engine has not applied yet. An input that cannot be applied breaks the market. */
  take(inputs: readonly Recorded<EngineInput>[]): void;
  /** Sends the open commit. Resolves when every commit is stored, or has failed. */
  allStored(): Promise<void>;
  /** Stops the engine at once. Its expected revision fences every commit that is still on its way. */
  abandon(): void;
  /** Saves a snapshot if one is due; with `always`, if there is any new input. */
  saveSnapshot(always?: boolean): Promise<void>;
};

export type SymbolEngineOptions = RecoverOptions & {
  metrics: EngineMetrics;
  telemetry: Telemetry;
  /** Called once, when the book cannot be written any more: another engine has taken over, or the store is gone. */
  onFailed(error: Error): void;
};

/** Another engine owns this book now. */
export class Fenced extends Error {
  override name = 'Fenced';
}

/**
 * The most commits on their way: one in flight, and one ready to follow it. Further outputs gather in the open commit,
 * because more commits would only make more and smaller rows.
 */
const COMMITS_ON_THEIR_WAY_MAX = 2;
/** A snapshot is due after this many inputs, plus one for each order in the book, because its cost grows with those. */
const SNAPSHOT_INPUTS = 10_000;
/** A snapshot is also due after this time, if there was any input. */
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
  let saving: Promise<void> | null = null;

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
          if (failed || !isStored(verdict, revision)) return;
          stored += inputs;
          metrics.outputs.inc(commit.events.length);
          sendUnlessBusy();
        },
        (error: unknown) => fail(new Error(`${commit.stream} could not be written`, { cause: error })),
      );
  };

  /** A `duplicate` can only be the appender's own retry, because this process minted the commit's id. */
  const isStored = (verdict: Verdict, revision: number): boolean => {
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
  const sendUnlessBusy = () => {
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

  const save = async (): Promise<void> => {
    // Nothing awaits before the first step of packing, so state, revision and position belong together.
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
      sendUnlessBusy();
    },
    abandon() {
      failed = true;
    },
    async allStored() {
      flush();
      await lastSent;
    },
    async saveSnapshot(always = false) {
      const due =
        snapshotInputs >= SNAPSHOT_INPUTS + engine.book.orders.size ||
        runtime.monotonicMs() - snapshotMs >= SNAPSHOT_AFTER_MS;
      // The snapshot that is being saved may lack the newest inputs.
      if (saving && always) await saving;
      if (saving || broken !== null || failed || snapshotInputs === 0 || !(due || always))
        return saving ?? undefined;
      saving = save().finally(() => {
        saving = null;
      });
      return saving;
    },
  };
}

/** Runs the steps, letting other work run between them. Returns null when the engine no longer needs the result. */
async function inTurns(
  steps: Generator<void, PackedState>,
  isCanceled: () => boolean,
): Promise<PackedState | null> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await setImmediate();
    if (!isCanceled()) continue;
    steps.return({ state: '', parts: [] });
    return null;
  }
}
