import { PROJECTION_CHANNEL } from '@brokerx/contracts';
import { listen, type Runtime, safeInteger } from '@brokerx/infra';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import { unlessOutage } from '@brokerx/infra/runtime/outage.ts';
import type { Freshness } from './freshness.ts';
import type { ReadDatabase } from './readDatabase.ts';

/**
 * Keeps `Freshness` told where the projections' tables stand: notifications move it, and the table of positions is
 * read at every (re)connect, because notifications sent meanwhile are lost, now and then while somebody waits, and
 * when one tells of a projection that was not there, or was not the live one, at the last look.
 */
export type ProjectionPositions = {
  /** Resolves when the positions have been read once; tells whether the read model is there at all. */
  reread(): Promise<boolean>;
  /** Looks again now and then while true. */
  poll(on: boolean): void;
  close(): Promise<void>;
};

/** Milliseconds between looks while a reader waits, in case a notification was lost. */
const SAFETY_POLL_MS = 250;
/** Milliseconds from a notification of an unknown projection to a look: what a new one's first reader may miss. */
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
  /** Told by a notification since the running look began: newer than what that look will find. */
  let toldMeanwhile = new Set<string>();
  let looking: Promise<boolean> | null = null;
  let cancelPoll: (() => void) | null = null;
  let cancelLook: (() => void) | null = null;

  const look = async () => {
    toldMeanwhile = new Set();
    try {
      const rows = await database.query<Row>({ name: 'projection_positions', text: LIVE, values: [] });
      const known = new Set(rows.map(({ name }) => name));
      for (const name of live.keys()) {
        if (known.has(name)) continue;
        live.delete(name);
        freshness.moved(name, 0);
      }
      for (const { name, version, position, store_id } of rows) {
        const switched = live.get(name) !== version;
        live.set(name, version);
        // Tables folded from another store say nothing about this one.
        if (store_id !== storeId) freshness.moved(name, 0);
        else if (switched || !toldMeanwhile.has(name)) freshness.moved(name, safeInteger(position));
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
  /** One that is being rebuilt tells of itself all the time: the table is read for it so often only. */
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
      const told = parseMove(payload);
      if (!told) return;
      if (live.get(told.name) !== told.version) return lookSoon();
      toldMeanwhile.add(told.name);
      freshness.moved(told.name, told.position);
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

/** `orders:1:42` → the projection `orders`, version 1, at position 42. */
function parseMove(payload: string): { name: string; version: number; position: number } | undefined {
  const match = /^([a-z_-]+):(\d{1,9}):(\d{1,15})$/.exec(payload);
  if (!match?.[1]) return undefined;
  return { name: match[1], version: Number(match[2]), position: Number(match[3]) };
}

const LIVE = `select name, version, position, store_id from read.projection where status = 'live'`;
type Row = { name: string; version: number; position: string; store_id: string };
