import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, inject } from 'vitest';
import { type EventStoreDbServer, startEventStoreDbServer } from '../../test/eventStoreDbServer.ts';
import { commit, notedCodec } from '../../test/noted.ts';
import { aloneOn, type Stage, sharing } from '../../test/stage.ts';
import { feedContract } from '../feed/feed.contract.ts';
import { storeFeed } from '../feed/feed.store.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { appendContract } from './eventStore.append.contract.ts';
import { eventStoreContract } from './eventStore.contract.ts';
import { eventStoreDb } from './eventStore.eventstoredb.ts';
import { type EventStore, NO_STREAM } from './eventStore.ts';

/**
 * The contracts through the real client: against a server of our own, alone and shared with a busy stranger, and
 * against a real one wherever there is one. A real one is never alone, and is never emptied.
 */
const open = (url: string) => eventStoreDb({ url, codec: notedCodec, runtime: realRuntime });
const KEPT = { keepsText: false };
const newTag = () => `t${randomUUID().slice(0, 8)}`;

const withFeed = <S extends { store: EventStore<{ text: string }> }>(stage: S) => ({
  ...stage,
  feed: storeFeed({ store: stage.store, runtime: realRuntime }),
});

/** A server that ends with the test. */
async function alone(options: { batchAppend?: boolean } = {}) {
  const server = await startEventStoreDbServer(options);
  const stage = await aloneOn(await open(server.url));
  const close = async () => {
    await stage.close();
    await server.stop();
  };
  return { ...stage, close };
}

eventStoreContract('EventStoreDB (our server)', alone, KEPT);
eventStoreContract(
  'EventStoreDB (our server, appending one by one)',
  () => alone({ batchAppend: false }),
  KEPT,
);
feedContract('EventStoreDB (our server)', async () => withFeed(await alone()), KEPT);

describe('where appends have a call each', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await alone({ batchAppend: false });
  });
  afterEach(() => stage.close());
  appendContract(() => stage);
});

describe('beside a stranger', () => {
  let server: EventStoreDbServer;
  let stranger: EventStore<{ text: string }>;
  const end = new AbortController();
  let writing: Promise<void>;
  const write = async () => {
    for (let revision = NO_STREAM; !end.signal.aborted; revision += 2) {
      const texts = ['placed by a stranger', 'filled by a stranger'];
      await stranger.append([commit('account-stranger', revision, texts, { symbol: 'A' })]);
      await delay(STRANGER_EVERY_MS);
    }
  };
  beforeAll(async () => {
    server = await startEventStoreDbServer();
    stranger = await open(server.url);
    writing = write();
  });
  afterAll(async () => {
    end.abort();
    await writing;
    await stranger.close();
    await server.stop();
  });
  const shared = async () => sharing(await open(server.url), newTag());

  eventStoreContract('EventStoreDB (our server, shared)', shared, KEPT);
  feedContract('EventStoreDB (our server, shared)', async () => withFeed(await shared()), KEPT);
});

const STRANGER_EVERY_MS = 20;

const realUrl = inject('eventStoreUrl');

describe.runIf(realUrl !== null)('on a real server', () => {
  const real = async () => sharing(await open(realUrl ?? ''), newTag());

  eventStoreContract('EventStoreDB', real, KEPT);
  feedContract('EventStoreDB', async () => withFeed(await real()), KEPT);
});
