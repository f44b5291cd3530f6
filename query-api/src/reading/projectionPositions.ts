import { PROJECTION_CHANNEL } from '@brokerx/contracts';
import { listen, type Runtime, safeInteger } from '@brokerx/infra';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';
import type { Freshness } from './freshness.ts';
import type { ReadDatabase } from './readDatabase.ts';

/**
 * Passes the positions of the projections on to `Freshness`. A projection announces each by a notification of PostgreSQL. The
 * table of positions is read as well: at every connect, since notifications sent before are lost; now and then while a reader
 * waits; and when a notification is of a projection that the last read did not have, or not as the live version.
 */
export type ProjectionPositions = {
  /** Reads the table of positions; false: the read model does not answer. */
  reread(): Promise<boolean>;
  /** While on, reads the table every `SAFETY_POLL_MS`. */
  poll(on: boolean): void;
  close(): Promise<void>;
};

/** Milliseconds between reads while a reader waits, in case a notification was lost. */
const SAFETY_POLL_MS = 250;
/** Milliseconds from a notification of an unknown projection to a read: so much later its first reader hears of it. */
const UNKNOWN_LOOK_MS = 100;

export function projectionPositions(options: {
  databaseUrl: string;
  database: ReadDatabase;
  storeId: string;
  freshness: Freshness;
  runtime: Runtime;
  log: Log;
}): ProjectionPositions {
  const { databaseUrl, database, storeId, freshness, runtime, log } = options;
  const live = new Map<string, number>();
  /** Projections announced since the read under way began: their positions are newer than what it will find. */
  let announcedMeanwhile = new Set<string>();
  let looking: Promise<boolean> | null = null;
  let cancelPoll: (() => void) | null = null;
  let cancelLook: (() => void) | null = null;

  const look = async () => {
    announcedMeanwhile = new Set();
    try {
      const rows = await database.query<Row>({ name: 'projection_positions', text: LIVE, values: [] });
      const names = new Set(rows.map(({ name }) => name));
      for (const name of live.keys()) {
        if (names.has(name)) continue;
        live.delete(name);
        freshness.moved(name, 0);
      }
      for (const { name, version, position, store_id } of rows) {
        const switched = live.get(name) !== version;
        live.set(name, version);
        // Tables folded from another store say nothing about this one.
        if (store_id !== storeId) freshness.moved(name, 0);
        else if (switched || !announcedMeanwhile.has(name)) freshness.moved(name, safeInteger(position));
      }
      return true;
    } catch (error) {
      log[unlessOutage(error, 'warn')]({ err: error }, 'the positions of the projections could not be read');
      return false;
    } finally {
      looking = null;
    }
  };
  const reread = () => {
    looking ??= look();
    return looking;
  };
  const poll = (on: boolean) => {
    cancelPoll?.();
    cancelPoll = on
      ? runtime.setTimer(SAFETY_POLL_MS, () => {
          void reread().then(() => {
            if (cancelPoll) poll(true);
          });
        })
      : null;
  };
  /** Bounds the reads that a projection under rebuild causes, since it announces its position all the time. */
  const lookSoon = () => {
    cancelLook ??= runtime.setTimer(UNKNOWN_LOOK_MS, () => {
      cancelLook = null;
      void reread();
    });
  };
  const listener = listen({
    databaseUrl,
    channel: PROJECTION_CHANNEL,
    applicationName: 'brokerx query positions',
    onConnected: () => void reread(),
    onNotify: (payload) => {
      const move = parseMove(payload);
      if (!move) return;
      if (live.get(move.name) !== move.version) return lookSoon();
      announcedMeanwhile.add(move.name);
      freshness.moved(move.name, move.position);
    },
    log,
  });

  return {
    reread,
    poll,
    async close() {
      poll(false);
      cancelLook?.();
      await listener.close();
    },
  };
}

/** `orders:1:42` means: the projection `orders`, version 1, is at position 42. */
function parseMove(payload: string): { name: string; version: number; position: number } | undefined {
  const match = /^([a-z_-]+):(\d{1,9}):(\d{1,15})$/.exec(payload);
  if (!match?.[1]) return undefined;
  return { name: match[1], version: Number(match[2]), position: Number(match[3]) };
}

const LIVE = `select name, version, position, store_id from read.projection where status = 'live'`;
type Row = { name: string; version: number; position: string; store_id: string };
