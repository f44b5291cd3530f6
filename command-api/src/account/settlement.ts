import assert from 'node:assert/strict';
import { type AccountEvent, type BookEvent, type Event, keyOfStream, seal, timeOf } from '@brokerx/contracts';
import {
  type Batch,
  causedBy,
  type Feed,
  type Log,
  type Runtime,
  type Snapshots,
  type Telemetry,
} from '@brokerx/infra';
import type { Accounts } from './accounts.ts';
import { type BookOutput, ordersOf, type Settlement, settle } from './settle.ts';

/**
 * Settlement: what the books say becomes facts of accounts, one commit an account and batch. A batch that comes again
 * changes nothing, so the cursor is saved now and then only. What cannot be carried out now is retried without bound;
 * an account whose settlement fails by itself (a bug, a damaged stream) is parked: its outputs wait and are tried
 * again, while the others go on.
 */
export type SettlementOptions = {
  accounts: Accounts;
  feed: Feed<Event>;
  snapshots: Snapshots;
  storeId: string;
  runtime: Runtime;
  log: Log;
  telemetry: Telemetry;
  /** Told how many facts a batch made. */
  onSettled?: (facts: number) => void;
};

export type RunningSettlement = {
  /** Position up to which everything is settled or parked. */
  position(): number;
  parkedAccounts(): number;
  stop(): Promise<void>;
};

/** One commit has at most twice as many events: both legs of a trade may be the same account's. */
const OUTPUTS_PER_COMMIT_MAX = 200;
/** About a fifth of a second of full load; bounds the memory and the latency of one round. */
const BATCH_EVENTS_MAX = 2_000;
const CURSOR_SAVED_EVERY_MS = 1_000;
/** Parked outputs are kept in memory (about 1 KB each); beyond this settlement waits as a whole. */
export const PARKED_OUTPUTS_MAX = 50_000;
const PARKED_RETRY_MS = 5_000;
const CURSOR = { kind: 'settlement', key: 'all', version: 1 } as const;

type Work = { outputs: BookOutput[] /** The account must be known up to here. */; revision: number };
type Parked = Work & { from: number };

export async function startSettlement(options: SettlementOptions): Promise<RunningSettlement> {
  const { accounts, feed, snapshots, storeId, runtime, log, telemetry, onSettled } = options;
  const parked = new Map<string, Parked>();
  const saved = await snapshots.load(CURSOR);
  let savedAtMs = runtime.monotonicMs();
  let saving: Promise<void> | null = null;
  let cancelRetry: () => void = () => undefined;

  const handle = async (batch: Batch<Event>) => {
    const work = byAccount(batch);
    if (work.size > 0) await telemetry.span('settle', spanOf(batch, work.size), () => settleAll(work));
    saveCursor(batch.position);
  };

  const settleAll = async (work: ReadonlyMap<string, Parked>): Promise<void> => {
    const results = await Promise.allSettled(
      Array.from(work, ([accountId, its]) => settleOrPark(accountId, its)),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  };

  const settleOrPark = async (accountId: string, work: Work & { from: number }): Promise<void> => {
    const waiting = parked.get(accountId);
    if (waiting) {
      park(accountId, work);
      return;
    }
    try {
      await settleAccount(accountId, work);
    } catch (error) {
      if (!isBug(error)) throw error;
      log.error({ err: error, accountId, outputs: work.outputs.length }, 'an account could not be settled');
      park(accountId, work);
    }
  };

  const settleAccount = async (accountId: string, { outputs, revision }: Work): Promise<void> => {
    for (let i = 0; i < outputs.length; i += OUTPUTS_PER_COMMIT_MAX) {
      const run = outputs.slice(i, i + OUTPUTS_PER_COMMIT_MAX);
      const executed = await accounts.execute<'behind' | 'settled'>(accountId, (account, place) => {
        if (place.revision < revision) return { reply: 'behind', rests: 'absent' };
        const settlements = settle(account, run);
        if (settlements.length === 0) return { reply: 'settled', rests: 'present' };
        return { events: sealed(place.commitId, settlements, timeOf(runtime.nowMs())), symbol: null };
      });
      if ('events' in executed) onSettled?.(executed.events.length);
      else assert.equal(executed.reply, 'settled', `${accountId} ends before revision ${revision}`);
    }
  };

  const park = (accountId: string, work: Parked) => {
    const held = Array.from(parked.values(), ({ outputs }) => outputs.length).reduce((a, b) => a + b, 0);
    if (held + work.outputs.length > PARKED_OUTPUTS_MAX) throw new TooManyParked('settlement waits');
    const before = parked.get(accountId);
    // The same batch may come again after another account failed in it.
    const last = before?.outputs.at(-1);
    const isNew = (output: BookOutput) =>
      !last || !before?.outputs.some((o) => o.symbol === output.symbol && o.sequence >= output.sequence);
    parked.set(accountId, {
      outputs: [...(before?.outputs ?? []), ...work.outputs.filter(isNew)],
      revision: Math.max(before?.revision ?? -1, work.revision),
      from: before?.from ?? work.from,
    });
    if (parked.size === 1 && !before) cancelRetry = runtime.setTimer(PARKED_RETRY_MS, () => void retry());
  };

  const retry = async () => {
    for (const [accountId, { outputs, revision, from }] of parked) {
      try {
        await settleAccount(accountId, { outputs, revision });
        const now = parked.get(accountId);
        const rest = now?.outputs.slice(outputs.length) ?? [];
        if (now && rest.length > 0) parked.set(accountId, { ...now, outputs: rest, from });
        else parked.delete(accountId);
        log.info({ accountId }, 'a parked account is settled again');
      } catch (error) {
        log.error({ err: error, accountId, outputs: outputs.length }, 'an account stays parked');
      }
    }
    if (parked.size > 0) cancelRetry = runtime.setTimer(PARKED_RETRY_MS, () => void retry());
  };

  const saveCursor = (position: number) => {
    if (saving || runtime.monotonicMs() - savedAtMs < CURSOR_SAVED_EVERY_MS) return;
    savedAtMs = runtime.monotonicMs();
    saving = save(position);
  };
  const save = async (position: number) => {
    const held = Array.from(parked.values(), ({ from }) => from - 1);
    const cursor = { storeId, position: Math.min(position, ...held) };
    try {
      await snapshots.save(CURSOR, { cursor, revision: -1, state: '{}' });
    } catch (err) {
      log.warn({ err }, 'the cursor of settlement could not be saved; a restart repeats more');
    }
    saving = null;
  };

  const subscription = feed.subscribe({
    name: 'settlement',
    after: saved?.cursor ?? null,
    filter: { categories: ['book'] },
    batchEventsMax: BATCH_EVENTS_MAX,
    handle,
  });
  return {
    position: () => subscription.position(),
    parkedAccounts: () => parked.size,
    async stop() {
      cancelRetry();
      await subscription.stop();
      cancelRetry();
      await saving;
      await save(subscription.position());
    },
  };
}

const spanOf = ({ events }: Batch<Event>, accounts: number) => ({
  kind: 'consumer' as const,
  ...causedBy(events.values().map(({ event }) => event.traceparent)),
  attributes: { 'brokerx.outputs': events.length, 'brokerx.accounts': accounts },
});

/** Outputs of a batch by account, in the order of the store. */
function byAccount({ events }: Batch<Event>): Map<string, Parked> {
  const work = new Map<string, Parked>();
  for (const { event, stream, revision: sequence, position } of events) {
    const output: BookOutput = { event: event as BookEvent, sequence, symbol: keyOfStream(stream) };
    for (const { accountId, revision } of ordersOf(output.event)) {
      const its = work.get(accountId);
      if (!its) {
        work.set(accountId, { outputs: [output], revision, from: position });
      } else {
        // Both legs of a trade may be the same account's.
        if (its.outputs.at(-1) !== output) its.outputs.push(output);
        its.revision = Math.max(its.revision, revision);
      }
    }
  }
  return work;
}

/** Each fact is caused by its own output. */
function sealed(commitId: string, settlements: readonly Settlement[], time: string): AccountEvent[] {
  return settlements.flatMap(({ fact, output: { event } }, index) =>
    seal(
      commitId,
      {
        time,
        actor: 'system:settlement',
        correlationId: event.correlationId,
        causationId: event.id,
        traceparent: event.traceparent,
      },
      [fact],
      index,
    ),
  ) as AccountEvent[];
}

class TooManyParked extends Error {
  override name = 'TooManyParked';
}

/** Failures of the account itself; everything else (the store, its queue, other writers) passes. */
const isBug = (error: unknown): boolean =>
  error instanceof assert.AssertionError || error instanceof TypeError || error instanceof RangeError;
