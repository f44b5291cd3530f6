import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { sessionEnds } from '../src/auth/sessionEnds.ts';
import { memoryEventStore } from '../src/eventStore/eventStore.memory.ts';
import { type EventStore, NO_STREAM } from '../src/eventStore/eventStore.ts';
import { storeFeed } from '../src/feed/feed.store.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { commit, type Noted, notedCodec } from './noted.ts';

/** Sessions over an event store in memory, where `ended s1 <until>` ends a session, `ended * <until>` all of the client's. */
export async function sessionsInMemory(options: {
  runtime: Runtime;
  store?: EventStore<Noted>;
  endsMax?: number;
}) {
  const { runtime, store = memoryEventStore<Noted>({ id: randomUUID(), codec: notedCodec }) } = options;
  const feed = storeFeed({ store, runtime });
  const sessions = await sessionEnds({
    ...options,
    store,
    feed,
    ends: {
      category: 'client',
      types: ['ended'],
      streamOf: (clientId) => `client-${clientId}`,
      clientOf: (stream) => stream.slice('client-'.length),
      endOf({ text }) {
        const [type, session = '', until] = text.split(' ');
        return type === 'ended'
          ? { sessionId: session === '*' ? null : session, untilMs: Number(until) }
          : null;
      },
    },
  });
  onTestFinished(async () => {
    await sessions.close();
    await feed.close();
  });
  /** Appends to the client's stream; gives the revision of the last of the texts. */
  const tell = async (clientId: string, ...texts: string[]): Promise<number> => {
    const stream = `client-${clientId}`;
    const revision = (await store.streamRevision(stream)) ?? NO_STREAM;
    await store.append([commit(stream, revision, texts)]);
    return revision + texts.length;
  };
  return { sessions, store, tell };
}
