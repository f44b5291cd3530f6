import assert from 'node:assert/strict';
import {
  type AccountEvent,
  type BookEvent,
  type Event,
  keyOfStream,
  SHARDS,
  seal,
  shardOf,
  timeOf,
} from '@brokerx/contracts';
import {
  type Batch,
  causedBy,
  type Feed,
  fairShare,
  type Lease,
  type Leases,
  type Log,
  movableSubscription,
  type Runtime,
  type Snapshots,
  sleep,
  type Telemetry,
} from '@brokerx/infra';
import pLimit from 'p-limit';
import type { Accounts } from '../account/accounts.ts';
import { parkedAccounts, type ShardOutput, type Work } from './parkedAccounts.ts';
import { ordersOf, type Settlement, settle } from './settle.ts';
import { type SettledShard, saveCursors, settledShard } from './settledShard.ts';

/**
 * Settles what the books put out: makes facts of accounts, one commit per account and batch. The settling processes share
 * the symbols by shard, and one subscription serves all shards of a process. A repeated batch changes nothing: cursors
 * are saved only now and then, and two owners of a shard do no harm. A batch that fails because of an outage is retried
 * without bound. An account whose own settlement fails (a bug, a damaged stream) is parked: its outputs wait and are tried
 * again, while other accounts go on.
 */
export type SettlementOptions = {
  accounts: Accounts;
  feed: Feed<Event>;
  snapshots: Snapshots;
  leases: Leases;
  storeId: string;
  runtime: Runtime;
  log: Log;
  telemetry: Telemetry;
  /** Called with the number of facts of each commit. */
  onSettled?: (facts: number) => void;
};

export type RunningSettlement = {
  /** Position up to which all outputs of its shards are settled or parked; null while it has no shard. */
  position(): number | null;
  shards(): number;
  parkedAccounts(): number;
  /** Finishes the batch on its way, saves the cursors and gives the shards back. */
  stop(): Promise<void>;
};

/** One commit has at most twice as many events: both legs of a trade may be the same account's. */
const OUTPUTS_PER_COMMIT_MAX = 200;
/** About a fifth of a second of full load; bounds the memory and the latency of one round. */
const BATCH_EVENTS_MAX = 2_000;
/** After a kill, the next owner repeats the outputs of this long: a few thousand no-ops. */
const CURSORS_SAVED_EVERY_MS = 3_000;
const PARKED_RETRY_MS = 5_000;
/** Accounts that settlement reads at once, of the store's four readers: commands must not queue behind a long past. */
const LOADS_AT_ONCE = 2;
const ROLE = 'settlement';

export function startSettlement(options: SettlementOptions): RunningSettlement {
  const { accounts, feed, snapshots, leases, storeId, runtime, log, telemetry, onSettled } = options;
  const shards = new Map<string, SettledShard>();
  const parked = parkedAccounts();
  const shardsOfStreams = new Map<string, string>();
  const stopping = new AbortController();
  const loading = pLimit(LOADS_AT_ONCE);
  const saving = { snapshots, storeId, log, heldFrom: parked.heldFrom };

  const shardOfStream = (stream: string): string => {
    let shard = shardsOfStreams.get(stream);
    if (shard === undefined) {
      shard = shardOf(keyOfStream(stream));
      shardsOfStreams.set(stream, shard);
    }
    return shard;
  };

  const handle = async (owned: ReadonlyMap<string, SettledShard>, batch: Batch<Event>) => {
    const work = byAccount(batch, (stream) => owned.get(shardOfStream(stream)));
    if (work.size > 0) await telemetry.span('settle', spanOf(batch, work.size), () => settleAll(work));
    for (const shard of owned.values()) shard.position = Math.max(shard.position, batch.position);
  };

  const settleAll = async (work: ReadonlyMap<string, Work>): Promise<void> => {
    const results = await Promise.allSettled(
      Array.from(work, ([accountId, accountWork]) =>
        accounts.holds(accountId)
          ? settleOrPark(accountId, accountWork)
          : loading(() => settleOrPark(accountId, accountWork)),
      ),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  };

  const settleOrPark = async (accountId: string, work: Work): Promise<void> => {
    if (parked.has(accountId)) return park(accountId, work);
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
      const run = outputs.slice(i, i + OUTPUTS_PER_COMMIT_MAX).filter(({ shard }) => !shard.isOver);
      if (run.length === 0) continue;
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

  const park = (accountId: string, work: Work) => {
    if (!parked.add(accountId, work)) throw new TooManyParked('settlement waits');
  };

  const retryParked = async () => {
    while (!stopping.signal.aborted) {
      await sleep(runtime, PARKED_RETRY_MS, stopping.signal);
      for (const [accountId, work] of parked.entries()) {
        if (stopping.signal.aborted) return;
        try {
          await settleAccount(accountId, work);
          parked.settled(accountId, work.outputs);
          log.info({ accountId }, 'a parked account is settled again');
        } catch (error) {
          log.error({ err: error, accountId, outputs: work.outputs.length }, 'an account stays parked');
        }
      }
    }
  };

  const saveNowAndThen = async () => {
    while (!stopping.signal.aborted) {
      await sleep(runtime, CURSORS_SAVED_EVERY_MS, stopping.signal);
      if (!stopping.signal.aborted) await saveCursors(saving, [...shards.values()]);
    }
  };

  const subscription = movableSubscription<Event>(feed, storeId, {
    name: 'settlement',
    batchEventsMax: BATCH_EVENTS_MAX,
    begin() {
      if (shards.size === 0) return null;
      const owned = new Map(shards);
      // Every book: each process looks at all of them for its markets anyway, so they are read once for both.
      return { filter: { categories: ['book'] }, handle: (batch) => handle(owned, batch) };
    },
  });

  const takeUp = async (shard: string, lease: Lease) => {
    const owned = await settledShard(snapshots, shard, lease);
    if (owned.isOver) throw new Error(`the lease of shard ${shard} was lost`);
    const forget = (): Promise<void> => {
      if (shards.get(shard) === owned) shards.delete(shard);
      return subscription.move();
    };
    lease.lost.addEventListener(
      'abort',
      () => {
        owned.isOver = true;
        parked.drop(owned);
        void forget();
      },
      { once: true },
    );
    shards.set(shard, owned);
    await subscription.move(owned.position);
    return async () => {
      // Waits until the batch on its way is settled.
      await forget();
      if (lease.isHeld()) await saveCursors(saving, [owned]);
    };
  };

  const share = fairShare({ leases, runtime, log, role: ROLE, units: SHARDS, takeUp });
  const running = Promise.all([retryParked(), saveNowAndThen()]);
  return {
    position: subscription.position,
    shards: () => shards.size,
    parkedAccounts: parked.size,
    async stop() {
      stopping.abort();
      await share.stop();
      await subscription.stop();
      await running;
    },
  };
}

const spanOf = ({ events }: Batch<Event>, accounts: number) => ({
  kind: 'consumer' as const,
  ...causedBy(events.values().map(({ event }) => event.traceparent)),
  attributes: { 'brokerx.outputs': events.length, 'brokerx.accounts': accounts },
});

/** Groups the outputs of a batch by account, in the order of the store: outputs of owned shards, not settled yet. */
function byAccount(
  { events }: Batch<Event>,
  ownedShard: (stream: string) => SettledShard | undefined,
): Map<string, Work> {
  const work = new Map<string, Work>();
  for (const { event, stream, revision: sequence, position } of events) {
    const shard = ownedShard(stream);
    if (!shard || shard.isOver || position <= shard.position) continue;
    const symbol = keyOfStream(stream);
    const output: ShardOutput = { event: event as BookEvent, sequence, symbol, position, shard };
    for (const { accountId, revision } of ordersOf(output.event)) {
      const accountWork = work.get(accountId);
      if (!accountWork) {
        work.set(accountId, { outputs: [output], revision });
      } else {
        // Both legs of a trade may be the same account's.
        if (accountWork.outputs.at(-1) !== output) accountWork.outputs.push(output);
        accountWork.revision = Math.max(accountWork.revision, revision);
      }
    }
  }
  return work;
}

/** Seals the facts, each with the output that caused it. */
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

/** Whether the account itself fails; every other error (store, queue, other writers) passes by itself. */
const isBug = (error: unknown): boolean =>
  error instanceof assert.AssertionError || error instanceof TypeError || error instanceof RangeError;
