import type { Event } from '@brokerx/contracts';
import type {
  Appender,
  EventStore,
  Feed,
  Leases,
  Log,
  Metrics,
  Runtime,
  Snapshots,
  Telemetry,
} from '@brokerx/infra';
import { accountsInMemory } from './account/accounts.ts';
import { admissionControl } from './commands/admission.ts';
import { commandsOn } from './commands/commands.ts';
import { followNewestRules } from './market/adoption.ts';
import { startMarkets } from './market/markets.ts';
import { startTimer } from './market/timer.ts';
import { type CommandMetrics, commandMetrics } from './metrics.ts';
import { countRecorded } from './orders/recordedOrders.ts';
import { deadlineTasks } from './protection/deadMan.ts';
import { killTasks } from './protection/killSwitch.ts';
import { startSettlement } from './settlement/settlement.ts';
import { startTasks } from './tasks/openTasks.ts';
import { ownRole } from './tasks/owner.ts';

/** Accounts, markets, settlement and market time of one process, over the ports that it is given. */
export type TradingPorts = {
  store: EventStore<Event>;
  appender: Appender<Event>;
  feed: Feed<Event>;
  snapshots: Snapshots;
  leases: Leases;
  runtime: Runtime;
  log: Log;
  telemetry: Telemetry;
  metrics: Metrics;
  /** Refusals that each account may have recorded in a minute. */
  refusalsPerMinute: number;
  /** Symbols adopt the newest matching rules by themselves. */
  adoptsMatchingRules: boolean;
};

/** Reading what happened since the last snapshot, at 100,000 events a second and more. */
const START_CATCH_UP_MS = 600_000;

export async function startTrading(ports: TradingPorts) {
  const { store, feed, snapshots, leases, runtime, log, telemetry } = ports;
  const admission = admissionControl(runtime);
  const accounts = accountsInMemory(ports);
  const markets = await startMarkets({
    ...ports,
    onBook: (event) => {
      if (event.type === 'OrderAccepted.v1' || event.type === 'OrderRejected.v1') {
        admission.answered(event.data.order.orderId);
      }
    },
  });
  await markets.catchUp(START_CATCH_UP_MS);

  const settlement = startSettlement({
    accounts,
    feed,
    snapshots,
    leases,
    storeId: store.id,
    runtime,
    log,
    telemetry,
    onSettled: (facts) => metrics.settled(facts),
  });
  const metrics: CommandMetrics = commandMetrics(ports.metrics, {
    admission,
    accounts,
    settlement,
    head: () => feed.head(),
  });
  const timer = ownRole({
    leases,
    name: 'market-time',
    log,
    async start() {
      await followNewestRules({ markets, runtime, log, adopts: ports.adoptsMatchingRules });
      return startTimer({ markets, runtime, log });
    },
  });
  const kills = startTasks(killTasks({ accounts, runtime }), { ...ports, storeId: store.id });
  const deadlines = startTasks(deadlineTasks({ accounts, runtime }), { ...ports, storeId: store.id });
  const commands = commandsOn({
    ...ports,
    accounts,
    markets,
    onOutcome: metrics.outcome,
    onRecorded: (event) => countRecorded(admission, event),
  });
  return {
    admission,
    accounts,
    markets,
    commands,
    settlement,
    async stop() {
      await Promise.all([settlement.stop(), timer.stop(), deadlines.close(), kills.close()]);
      await markets.stop();
      admission.close();
      await accounts.close();
    },
  };
}
