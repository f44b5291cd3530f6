import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { eventCodec } from '@brokerx/contracts';
import { eventStoreDb } from '@brokerx/infra/eventStore/eventStore.eventstoredb.ts';
import { postgresEventStore } from '@brokerx/infra/eventStore/eventStore.postgres.ts';
import type { Codec } from '@brokerx/infra/eventStore/eventStore.ts';
import type { StoredEvent } from '@brokerx/infra/eventStore/migration/storeDigest.ts';
import { freePort } from '@brokerx/infra/runtime/ports.ts';
import { realRuntime as runtime } from '@brokerx/infra/runtime/runtime.ts';
import { type FreshDatabase, freshDatabase } from '@brokerx/infra/servers/testServers.ts';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type EventStoreDbServer, startEventStoreDbServer } from '../../../test/eventStoreDbServer.ts';
import { contentOf, fillWithNotes } from '../../../test/storedNotes.ts';

const codec = eventCodec({}) as unknown as Codec<StoredEvent>;

/** `brokerx migrate-store` as an operator runs it, from PostgreSQL to EventStoreDB and back. */
let first: FreshDatabase;
let second: FreshDatabase;
let server: EventStoreDbServer;
beforeAll(async () => {
  [first, second, server] = await Promise.all([freshDatabase(), freshDatabase(), startEventStoreDbServer()]);
});
afterAll(() => Promise.all([first.drop(), second.drop(), server.stop()]));

/** Every run is a process of its own, and one of them waits ten seconds for a server that is not there. */
const MACHINE_IS_BUSY_MS = 120_000;

async function migrate(...flags: string[]) {
  const brokerx = fileURLToPath(new URL('main.ts', import.meta.url));
  const child = spawn(process.execPath, [brokerx, 'migrate-store', ...flags]);
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    err += String(chunk);
  });
  const code = await new Promise<number | null>((done) => child.once('close', done));
  return { code, out, err };
}

test(
  'there and back again, nothing is lost or changed',
  async () => {
    const source = await postgresEventStore({ databaseUrl: first.url, codec, runtime });
    const commits = await fillWithNotes(source, 200);
    const there = await migrate('--from', first.url, '--to', server.url, '--json');
    expect(there.err).toContain('looking at the target');
    const events = commits.reduce((sum, commit) => sum + commit.events.length, 0);
    expect(JSON.parse(there.out)).toMatchObject({
      ok: true,
      from: source.id,
      events,
      commits: 200,
      eventsBefore: 0,
    });
    expect(there.code).toBe(0);
    const back = await migrate('--from', server.url, '--to', second.url);
    expect(back.out).toMatch(
      /^[\d,]+ events in 200 commits copied; \d+ streams are the same in both stores\.\n$/,
    );
    expect(back.code).toBe(0);
    const [middle, target] = await Promise.all([
      eventStoreDb({ url: server.url, codec, runtime }),
      postgresEventStore({ databaseUrl: second.url, codec, runtime }),
    ]);
    const content = await contentOf(source);
    expect(await contentOf(middle)).toEqual(content);
    expect(await contentOf(target)).toEqual(content);
    expect(new Set([source.id, middle.id, target.id]).size).toBe(3);
    await Promise.all([source.close(), middle.close(), target.close()]);
  },
  MACHINE_IS_BUSY_MS,
);

test(
  'what stands in the way is said in words, without secrets',
  async () => {
    const same = await migrate('--from', server.url, '--to', server.url);
    expect(same).toMatchObject({
      code: 1,
      err: expect.stringMatching(/both addresses lead to the same event store/),
    });

    const empty = await migrate('--from', inject('postgresAdminUrl'), '--to', server.url);
    expect(empty).toMatchObject({
      code: 1,
      err: expect.stringMatching(/postgres:\/\/127\.0\.0\.1:\d+\/\w+ holds no event store/),
    });

    const nobody = `esdb://admin:secret@127.0.0.1:${await freePort()}?tls=false`;
    const away = await migrate('--from', nobody, '--to', server.url);
    expect(away.err).toMatch(/the event store at esdb:\/\/127\.0\.0\.1:\d+ cannot be opened: /);
    expect(away.err).not.toMatch(/secret|^\s+at .*:\d+/m);
    expect(away.code).toBe(1);

    const wrong = await migrate('--from', '/nowhere', '--to', 'mysql://x');
    expect(wrong).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--from must begin with postgres:\/\//),
    });
    expect(await migrate('--from', first.url)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--to <url>/),
    });
  },
  MACHINE_IS_BUSY_MS,
);
