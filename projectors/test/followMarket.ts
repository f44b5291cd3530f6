import type { Event } from '@brokerx/contracts';
import {
  createLog,
  createMetrics,
  type EventStore,
  type HotStore,
  type Log,
  memoryLeases,
  realRuntime as runtime,
  type Snapshots,
  storeFeed,
} from '@brokerx/infra';
import { onTestFinished } from 'vitest';
import { startMarketData } from '../src/marketData/marketData.ts';
import { marketDataMetrics } from '../src/marketData/metrics.ts';

const silent = createLog({ name: 'test-market-data', level: 'silent' });
type Given = {
  store: EventStore<Event>;
  hotStore: HotStore;
  snapshots: Snapshots;
  log?: Log;
  snapshotEveryMs?: number;
  batchEventsMax?: number;
};

/** Market data of one process, until the test ends or it is stopped. */
export function follow({
  store,
  hotStore,
  snapshots,
  log = silent,
  snapshotEveryMs = 10_000,
  batchEventsMax = 2_000,
}: Given) {
  const feed = storeFeed({ store, runtime, log });
  const leases = memoryLeases({ rows: new Map(), owner: 'a', runtime });
  const metrics = marketDataMetrics(createMetrics('test', '0'));
  const following = startMarketData({
    store,
    feed,
    hotStore,
    snapshots,
    leases,
    runtime,
    log,
    metrics,
    snapshotEveryMs,
    batchEventsMax,
  });
  const stop = async () => {
    await following.stop();
    await feed.close();
  };
  onTestFinished(stop);
  return { stop };
}
