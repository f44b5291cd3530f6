import { eventCodec } from '@brokerx/contracts';
import pg from 'pg';
import { type SeedCommit, type SeedOptions, seedHistory } from './seed.ts';

/**
 * Writes a made history directly into the tables of an empty PostgreSQL event store, while no service runs: a million events
 * take seconds, where the API would take minutes.
 */
export async function seedStore(
  databaseUrl: string,
  options: SeedOptions,
): Promise<{ events: number; commits: number; durationMs: number }> {
  const begunMs = performance.now();
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('begin');
    await client.query('select 1 from store.head for update');
    let position = Number(
      (
        await client.query<{ head: string }>(
          'select coalesce(max(last_position), 0) as head from store.commit',
        )
      ).rows[0]?.head,
    );
    let commits = 0;
    let events = 0;
    let batch: SeedCommit[] = [];
    const flush = async () => {
      const positions = batch.map((commit) => {
        position += commit.events.length;
        return position;
      });
      await client.query(INSERT, [
        positions,
        batch.map(({ stream }) => stream),
        batch.map(({ revision }) => revision),
        batch.map((commit) => commit.events.length),
        batch.map(({ commitId }) => commitId),
        batch.map(({ symbol }) => symbol),
        batch.map(({ commitId, events }) => codec.pack(commitId, events)),
      ]);
      commits += batch.length;
      batch = [];
    };
    for (const commit of seedHistory(options)) {
      events += commit.events.length;
      batch.push(commit);
      if (batch.length === COMMITS_PER_INSERT) await flush();
    }
    await flush();
    await client.query('commit');
    // A database with so long a history would have been vacuumed long ago.
    await client.query('vacuum (analyze) store.commit');
    return { events, commits, durationMs: performance.now() - begunMs };
  } finally {
    await client.end();
  }
}

const codec = eventCodec();
/** About 1 MB of text a statement. */
const COMMITS_PER_INSERT = 2_000;
const INSERT = `insert into store.commit (last_position, stream, revision, events, commit_id, symbol, body)
  select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::integer[], $5::uuid[], $6::text[], $7::text[])`;
