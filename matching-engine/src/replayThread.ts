import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { eventCodec } from '@brokerx/contracts';
import { createLog, openEventStore, postgresSnapshots, realRuntime } from '@brokerx/infra';
import { UnknownMatchingRules } from './engine.ts';
import { packedAtOnce } from './packedState.ts';
import { MarketBroken, replay } from './replay.ts';
import type { ThreadResult, ThreadTask } from './replayThreads.ts';

/** A thread that replays one symbol's past, over connections of its own, tells what came of it, and ends. */
const { settings, storeId, symbol, revision, level } = workerData as ThreadTask;
const runtime = realRuntime;
const log = createLog({ name: 'matching-engine', level });
const store = await openEventStore({ settings, codec: eventCodec(), runtime, log });
const snapshots = await postgresSnapshots({ databaseUrl: settings.databaseUrl, storeId, runtime, log });
try {
  assert.equal(store.id, storeId, 'the thread has another store');
  const { engine, ...rest } = await replay({ store, snapshots, log }, symbol, revision);
  tell({ ...rest, packed: packedAtOnce(engine) });
} catch (error) {
  if (error instanceof MarketBroken) tell({ broken: error.message, cause: error.cause });
  else if (error instanceof UnknownMatchingRules) tell({ unknownRules: error.message });
  else throw error;
} finally {
  await Promise.all([snapshots.close(), store.close()]);
}

function tell(result: ThreadResult): void {
  // The numbers go over without being copied.
  const moved = 'packed' in result ? result.packed.parts.map(({ buffer }) => buffer) : [];
  parentPort?.postMessage(result, moved);
}
