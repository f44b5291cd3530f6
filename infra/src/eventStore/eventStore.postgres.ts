import assert from 'node:assert/strict';
import type pg from 'pg';
import { migrate } from '../postgres/migrate.ts';
import { isTransient, openPool, safeInteger } from '../postgres/postgres.ts';
import type { Log } from '../runtime/log.ts';
import { repeating } from '../runtime/retry.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { assertAppendable, previousOnStream } from './appendable.ts';
import { appendWakeUps } from './appendWakeUps.ts';
import {
  type Codec,
  type Commit,
  type EventStore,
  type Filter,
  filtersOf,
  type Landmark,
  matcher,
  NO_STREAM,
  type Recorded,
  UnknownOutcome,
  type Verdict,
} from './eventStore.ts';

/**
 * The event store on PostgreSQL. A row is a commit. Every append locks the one head row, so positions grow in commit order
 * and no reader ever meets a late one (`migrations/store`). One append call is one round trip and one flush to disk.
 * Calls survive a restart of the server: they are repeated for a bounded time, appends too, because a repeated append is
 * recognised.
 */
export async function postgresEventStore<E>(options: {
  databaseUrl: string;
  codec: Codec<E>;
  runtime: Runtime;
  log?: Log | undefined;
}): Promise<EventStore<E>> {
  const { databaseUrl, codec, runtime, log } = options;
  const repeat = <T>(work: () => Promise<T>) =>
    repeating(runtime, REPEAT_MS, work, { isTransient, isOver: () => closed });
  let closed = false;
  await repeat(() => migrate({ databaseUrl, directory: MIGRATIONS, name: 'store' }));
  // Two pools, so that an append never waits behind readers that catch up.
  const appends = openPool({ ...options, ...SESSION, max: APPENDERS, applicationName: 'brokerx append' });
  const reads = openPool({ ...options, ...SESSION, max: READERS, applicationName: 'brokerx read' });
  const readHead = async () => safeInteger((await reads.query<[string]>(HEAD)).rows[0]?.[0] ?? 0);
  const wakeUps = appendWakeUps({ databaseUrl, runtime, readHead, log });

  const id = await repeat(() => identityOf(reads));
  return {
    id,
    codec,
    textOf: ({ id, events }) => codec.pack(id, events),
    async append(commits) {
      if (commits.length === 0) return [];
      assertAppendable(commits);
      const call = appendCall(commits, codec);
      const verdicts = await repeat(async () =>
        parseVerdicts(commits, await appends.query<AppendRow>(call)),
      ).catch((error) => {
        throw isTransient(error) ? new UnknownOutcome('the append got no reply', { cause: error }) : error;
      });
      for (const verdict of verdicts) if (verdict.verdict === 'ok') wakeUps.advanced(verdict.position);
      return verdicts;
    },
    async readStream(stream, fromRevision, eventsMax) {
      assert(eventsMax > 0);
      const values = [stream, fromRevision, eventsMax];
      const { rows } = await repeat(() => reads.query<Row>({ ...READ_STREAM, values }));
      const events = rows.flatMap((row) => recorded(codec, row));
      return events.filter(({ revision }) => revision >= fromRevision).slice(0, eventsMax);
    },
    async streamRevision(stream) {
      const { rows } = await repeat(() => reads.query<[string]>({ ...STREAM_REVISION, values: [stream] }));
      return safeInteger(rows[0]?.[0] ?? NO_STREAM);
    },
    async readAll(after, filter, eventsMax) {
      assert(eventsMax > 0);
      const query = readAllQuery(after, filtersOf(filter), eventsMax, codec);
      const { rows } = await repeat(() => reads.query<PageRow>(query));
      assert(rows[0], 'a page has at least the row of its bounds');
      const head = safeInteger(rows[0][0] ?? 0);
      const bound = Math.max(after, safeInteger(rows[0][1] ?? 0));
      const commits = rows.filter(hasCommit).map(([, , ...row]) => row);
      const isWanted = matcher(filter, codec);
      const matching = commits
        .flatMap((row) => recorded(codec, row))
        .filter((event) => event.position > after && isWanted(event));
      const events = matching.slice(0, eventsMax);
      // The query leaves out commits within the bound only when those before them, matching or not, fill the page.
      const isFull = commits.reduce((sum, row) => sum + row[3], 0) >= eventsMax;
      const readTo = isFull ? safeInteger(commits.at(-1)?.[0] ?? 0) : bound;
      const position = matching.length > eventsMax ? (events.at(-1)?.position ?? after) : readTo;
      return { events, position, atEnd: position >= head };
    },
    head: () => repeat(readHead),
    landmark: (position) => repeat(() => landmarkAt(reads, position)),
    onAppend: (listener) => wakeUps.onAppend(listener),
    async close() {
      if (closed) return;
      closed = true;
      await wakeUps.close();
      await Promise.all([appends.end(), reads.end()]);
    },
  };
}

const MIGRATIONS = new URL('../../migrations/store', import.meta.url);
/** Connections that append: one for the group commit and one beside it; more would only wait for the head row. */
const APPENDERS = 2;
/** Connections that read: one follows the tail, the others hydrate and catch up. */
const READERS = 4;
/** Milliseconds for which a call is repeated while the server is away: longer than a restart takes. */
const REPEAT_MS = 10_000;
/** Positions that one page may move through, so that rare matches never make a statement long (≈ 50 ms, by type 150 ms). */
const SCAN_POSITIONS_MAX = 100_000;
const EVENTS_SEPARATOR = '\x1e';
/**
 * Every statement here is served by an index in order. Without this, plans cached while the tables are still empty would
 * scan and sort.
 */
const SESSION = { settings: { enable_seqscan: 'off', enable_bitmapscan: 'off' } };

const HEAD = {
  name: 'store_head',
  text: 'select max(last_position) from store.commit',
  rowMode: 'array',
} as const;

async function identityOf(reads: pg.Pool): Promise<string> {
  const { rows } = await reads.query<{ store_id: string }>('select store_id from store.head');
  assert(rows[0], 'the store has no identity');
  return rows[0].store_id;
}

async function landmarkAt(reads: pg.Pool, position: number): Promise<Landmark | null> {
  if (position <= 0) return null;
  const { rows } = await reads.query<[string]>({ ...LANDMARK, values: [position] });
  return rows[0] ? { position, commitId: rows[0][0] } : null;
}

/** The commit that holds the position: positions are dense in this store. */
const LANDMARK = {
  name: 'store_landmark',
  text: `select commit_id from store.commit where last_position >= $1::bigint order by last_position limit 1`,
  rowMode: 'array',
} as const;

const STREAM_REVISION = {
  name: 'store_stream_revision',
  text: `select revision + events - 1 from store.commit where stream = $1 order by revision desc limit 1`,
  rowMode: 'array',
} as const;

const COLUMNS = 'c.last_position, c.stream, c.revision, c.events, c.commit_id, c.symbol, c.body';

/** Reads from the commit that holds the revision. */
const READ_STREAM = {
  name: 'store_read_stream',
  text: `
    select ${COLUMNS} from store.commit c
     where c.stream = $1
       and c.revision >= coalesce((select max(f.revision) from store.commit f
                                    where f.stream = $1 and f.revision <= $2::bigint), 0)
       and c.revision < greatest($2::bigint, 0) + $3::bigint
     order by c.revision`,
  rowMode: 'array',
} as const;

type Row = [
  lastPosition: string,
  stream: string,
  revision: string,
  events: number,
  commitId: string,
  symbol: string | null,
  body: string,
];
/** The bounds without a commit. */
type NoRow = [null, null, null, null, null, null, null];
type PageRow =
  | [head: string | null, bound: string | null, ...row: Row]
  | [string | null, string | null, ...NoRow];
type AppendRow = [verdicts: string, actuals: string, positions: string];

const hasCommit = (row: PageRow): row is [string | null, string | null, ...Row] => row[2] !== null;

function appendCall<E>(commits: readonly Commit<E>[], codec: Codec<E>): pg.QueryArrayConfig<unknown[]> {
  const bodies = commits.map(({ id, events, text }) => text ?? codec.pack(id, events));
  for (const body of bodies) assert(!body.includes(EVENTS_SEPARATOR), 'JSON text has no control characters');
  return {
    name: 'store_append',
    text: 'select * from store.append($1, $2, $3, $4, $5, $6, $7, $8)',
    values: [
      commits.map(({ stream }) => stream).join(EVENTS_SEPARATOR),
      arrayLiteral(commits.map(({ expectedRevision }) => expectedRevision)),
      arrayLiteral(commits.map(({ chained }) => chained)),
      arrayLiteral(previousOnStream(commits)),
      arrayLiteral(commits.map(({ events }) => events.length)),
      arrayLiteral(commits.map(({ id }) => id)),
      commits.map(({ symbol }) => symbol ?? '').join(EVENTS_SEPARATOR),
      bodies.join(EVENTS_SEPARATOR),
    ],
    rowMode: 'array',
  };
}

/** PostgreSQL's array literal of numbers, booleans or UUIDs, which need no quotes. */
const arrayLiteral = (values: readonly (number | boolean | string)[]) => `{${values.join(',')}}`;

function parseVerdicts<E>(
  commits: readonly Commit<E>[],
  { rows }: pg.QueryArrayResult<AppendRow>,
): Verdict[] {
  assert(rows[0]);
  const [verdicts, actuals, positions] = [rows[0][0], rows[0][1].split(','), rows[0][2].split(',')];
  return commits.map(({ expectedRevision, events }, i): Verdict => {
    const verdict = verdicts[i];
    if (verdict === 'b') return { verdict: 'broken-chain' };
    if (verdict === 'c') return { verdict: 'conflict', actualRevision: safeInteger(actuals[i] ?? '') };
    assert(verdict === 'o' || verdict === 'd');
    return {
      verdict: verdict === 'o' ? 'ok' : 'duplicate',
      revision: expectedRevision + events.length,
      position: safeInteger(positions[i] ?? ''),
    };
  });
}

/**
 * One statement for each shape of filters. It always returns `head` and `bound`, and the bodies of only those commits that
 * the page will hold. PostgreSQL itself searches bodies for the marks of types: a tenth of the cost of sending and parsing.
 */
function readAllQuery<E>(
  after: number,
  filters: readonly Filter[],
  eventsMax: number,
  codec: Pick<Codec<E>, 'marksOf'>,
) {
  const values: unknown[] = [after, eventsMax];
  const parameter = (value: readonly string[]) => `$${values.push(value)}::text[]`;
  const condition = ({ categories, streams, symbols, types }: Filter): string => {
    const conditions = [
      categories && `split_part(c.stream, '-', 1) = any (${parameter(categories)})`,
      streams && `c.stream = any (${parameter(streams)})`,
      symbols && (symbols === 'any' ? 'c.symbol is not null' : `c.symbol = any (${parameter(symbols)})`),
      types &&
        `exists (select from unnest(${parameter(codec.marksOf(types))}) m where strpos(c.body, m) > 0)`,
    ];
    return conditions.filter(Boolean).join(' and ') || 'true';
  };
  const isAll = filters.some((filter) => shapeOf(filter) === '');
  const filtered = isAll ? '' : ` and (${filters.map(condition).join(' or ') || 'false'})`;
  // Positions are dense here: without a filter they count the events.
  const last =
    filtered === ''
      ? `(select min(w.last_position) from store.commit w where w.last_position >= $1::bigint + $2::bigint)`
      : `coalesce((select max(w.last_position) from (
            select c.last_position,
                   sum(c.events) over (order by c.last_position rows unbounded preceding) - c.events as before
              from store.commit c
             where c.last_position > $1::bigint and c.last_position <= b.bound${filtered}
             order by c.last_position limit $2::bigint) w
          where w.before < $2::bigint), 0)`;
  return {
    name: `store_read_${isAll ? 'all' : filters.map(shapeOf).join('_')}`,
    text: `
      select b.head, b.bound, c.*
        from (select (select max(last_position) from store.commit) as head,
                     (select max(last_position) from store.commit
                       where last_position <= $1::bigint + ${SCAN_POSITIONS_MAX}) as bound) b
        left join lateral (
          select ${COLUMNS} from store.commit c
           where c.last_position > $1::bigint
             and c.last_position <= least(b.bound, ${last})${filtered}
           order by c.last_position) c on true`,
    values,
    rowMode: 'array',
  } as const;
}

/** A letter for each condition: PostgreSQL tells statements apart by the first 63 characters of their names. */
const shapeOf = ({ categories, streams, symbols, types }: Filter): string =>
  `${categories ? 'c' : ''}${streams ? 't' : ''}${symbols === 'any' ? 'a' : symbols ? 's' : ''}${types ? 'y' : ''}`;

function recorded<E>(codec: Codec<E>, row: Row): Recorded<E>[] {
  const [lastPosition, stream, revision, count, commitId, symbol, body] = row;
  const events = codec.unpack(body, commitId);
  assert.equal(
    events.length,
    count,
    `the commit at ${lastPosition} holds another number of events than it says`,
  );
  const firstPosition = safeInteger(lastPosition) - count + 1;
  const firstRevision = safeInteger(revision);
  return events.map((event, i) => ({
    event,
    stream,
    revision: firstRevision + i,
    position: firstPosition + i,
    commitId,
    symbol,
  }));
}
