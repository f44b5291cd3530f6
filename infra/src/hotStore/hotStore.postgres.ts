import type pg from 'pg';
import type { Cursor } from '../eventStore/cursor.ts';
import { migrate } from '../postgres/migrate.ts';
import { isTransient, type Listener, listen, openPool, safeInteger } from '../postgres/postgres.ts';
import type { Log } from '../runtime/log.ts';
import { unlessOutage } from '../runtime/outage.ts';
import { repeating } from '../runtime/retry.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { HotStore, HotView } from './hotStore.ts';

/**
 * The hot store in unlogged PostgreSQL tables (schema `hot`): a write costs no flush to disk, and a crash of the server
 * empties values and cursors together. NOTIFY announces changes, so that readers in other processes learn of them within
 * milliseconds.
 */
export async function postgresHotStore(options: {
  databaseUrl: string;
  runtime: Runtime;
  log?: Log | undefined;
}): Promise<HotStore> {
  const { databaseUrl, runtime, log } = options;
  const repeat = <T>(work: () => Promise<T>) =>
    repeating(runtime, REPEAT_MS, work, { isTransient, isOver: () => closed });
  let closed = false;
  await repeat(() =>
    migrate({ databaseUrl, directory: new URL('../../migrations/hot', import.meta.url), name: 'hot' }),
  );
  const pool = openPool({
    databaseUrl,
    max: CONNECTIONS,
    applicationName: 'brokerx hot',
    settings: { synchronous_commit: 'off', enable_seqscan: 'off' },
    log,
  });
  const changes = changeListeners({ databaseUrl, log });

  const view = (name: string, version: number): HotView => {
    const cursor = async (): Promise<Cursor | null> => {
      const { rows } = await repeat(() => pool.query<CursorRow>({ ...CURSOR, values: [name, version] }));
      return cursorOf(rows[0]);
    };
    return {
      cursor,
      // Not repeated: after a lost reply the caller reads the cursor, which shows whether the write was done.
      async write({ from, to, set, remove = [] }) {
        const before = [from?.storeId ?? null, from?.position ?? null, from?.landmark?.commitId ?? null];
        const after = [to.storeId, to.position, to.landmark?.position ?? null, to.landmark?.commitId ?? null];
        const changed = [[...set.keys()], [...set.values()], remove.filter((key) => !set.has(key))];
        const values = [name, version, ...before, ...after, ...changed];
        const { rows } = await pool.query<{ written: boolean }>({ ...WRITE, values });
        return rows[0]?.written ? 'ok' : 'stale';
      },
      async read(keys) {
        const { rows } = await repeat(() =>
          pool.query<CursorRow & { value: string | null }>({ ...READ, values: [name, version, keys] }),
        );
        return { values: keys.map((_, i) => rows[i]?.value ?? null), cursor: cursorOf(rows[0]) };
      },
      async clear() {
        await repeat(() => pool.query({ ...CLEAR, values: [name, version] }));
      },
      onChange: (listener) => changes.add({ name, version, listener, cursor }),
    };
  };

  return {
    view,
    async close() {
      if (closed) return;
      closed = true;
      await changes.close();
      await pool.end();
    },
  };
}

/** Connections: a few readers and a writer. */
const CONNECTIONS = 4;
/** Milliseconds for which a read is repeated while the server is away: longer than a restart takes. */
const REPEAT_MS = 10_000;

type CursorRow = {
  store_id: string | null;
  position: string | null;
  landmark_position: string | null;
  landmark_commit: string | null;
};

function cursorOf(row: CursorRow | undefined): Cursor | null {
  if (row?.store_id == null || row.position == null) return null;
  const { store_id: storeId, landmark_position: at, landmark_commit: commitId } = row;
  const landmark = at === null || commitId === null ? null : { position: safeInteger(at), commitId };
  return { storeId, position: safeInteger(row.position), ...(landmark ? { landmark } : {}) };
}

const CURSOR: pg.QueryConfig = {
  name: 'hot_cursor',
  text: 'select store_id, position, landmark_position, landmark_commit from hot.view where name = $1 and version = $2',
};

const WRITE: pg.QueryConfig = {
  name: 'hot_write',
  text: 'select hot.write($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) as written',
};

/** One statement, so all values are of one moment: a row for each key, and at least one for the cursor. */
const READ: pg.QueryConfig = {
  name: 'hot_read',
  text: `
    select c.store_id, c.position, c.landmark_position, c.landmark_commit, x.value
      from (values ($1::text, $2::integer)) as v (name, version)
      left join hot.view c on c.name = v.name and c.version = v.version
      left join unnest($3::text[]) with ordinality as k (key, at) on true
      left join hot.value x on x.name = v.name and x.version = v.version and x.key = k.key
     order by k.at`,
};

const CLEAR: pg.QueryConfig = {
  name: 'hot_clear',
  text: `
    with values_too as (delete from hot.value where name = $1 and version = $2)
    delete from hot.view where name = $1 and version = $2`,
};

type ChangeListener = {
  name: string;
  version: number;
  listener: (position: number) => void;
  cursor: () => Promise<Cursor | null>;
};

/** Parses the notification of `hot.write`; null if the payload is not its. */
function moveOf(payload: string): { name: string; version: number; position: number } | null {
  const match = /^\s*\["([^"\\]+)",\s*(\d{1,9}),\s*(\d{1,16})\]\s*$/.exec(payload);
  return match?.[1] ? { name: match[1], version: Number(match[2]), position: Number(match[3]) } : null;
}

/** The listeners of all views; the LISTEN connection is opened with the first one. */
function changeListeners({ databaseUrl, log }: { databaseUrl: string; log?: Log | undefined }) {
  const listeners = new Set<ChangeListener>();
  let connection: Listener | null = null;

  const onNotify = (payload: string) => {
    const move = moveOf(payload);
    // Any user of the database may notify: after an unknown payload every view's cursor is read.
    if (!move) return onConnected();
    for (const each of listeners) {
      if (each.name === move.name && each.version === move.version) each.listener(move.position);
    }
  };
  /** Notifications sent without a connection are lost: reads every view's cursor. */
  const onConnected = () => {
    for (const each of listeners) {
      each.cursor().then(
        (cursor) => cursor && listeners.has(each) && each.listener(cursor.position),
        (error: unknown) =>
          log?.[unlessOutage(error, 'warn')]({ err: error, view: each.name }, 'the cursor could not be read'),
      );
    }
  };

  return {
    add(each: ChangeListener): () => void {
      listeners.add(each);
      connection ??= listen({
        databaseUrl,
        channel: 'brokerx_hot',
        applicationName: 'brokerx hot listen',
        onNotify,
        onConnected,
        log,
      });
      return () => listeners.delete(each);
    },
    async close(): Promise<void> {
      listeners.clear();
      await connection?.close();
    },
  };
}
