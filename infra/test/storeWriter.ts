import { randomUUID } from 'node:crypto';
import { postgresEventStore } from '../src/eventStore/eventStore.postgres.ts';
import { NO_STREAM, type Verdict } from '../src/eventStore/eventStore.ts';
import { type Appender, groupCommit } from '../src/eventStore/groupCommit.ts';
import { realRuntime } from '../src/runtime/runtime.ts';
import { commit, type Noted, notedCodec } from './noted.ts';

/**
 * A process with two writers, each with a store and a group commit of its own:
 * `storeWriter.ts <database URL> <name> <events of each>`. Half of the commits go to streams that all writers
 * contend for, with a re-decision after each conflict; every fifth call is repeated as if its reply had been
 * lost. Prints a line of JSON with the number of events that were acknowledged.
 */
const [databaseUrl = '', name = '', eventsText = '0'] = process.argv.slice(2);

const SHARED_STREAMS = 100;
const IN_FLIGHT = 40;

async function write(writer: string, eventsMax: number): Promise<number> {
  const store = await postgresEventStore({ databaseUrl, codec: notedCodec, runtime: realRuntime });
  const appender = groupCommit(store);
  let written = 0;
  const lane = async (number: number) => {
    let ownRevision = NO_STREAM;
    for (let turn = 0; written < eventsMax; turn++) {
      const size = Math.min(1 + ((number + turn) % 9), eventsMax - written);
      const texts = Array.from({ length: size }, (_, i) => `${writer}:${written + i}`);
      written += size;
      if (turn % 2 === 0) {
        const verdict = await appendTwice(
          appender,
          commit(`account-${writer}.${number}`, ownRevision, texts),
          turn,
        );
        if (verdict.verdict !== 'ok' && verdict.verdict !== 'duplicate')
          throw new Error(JSON.stringify(verdict));
        ownRevision = verdict.revision;
      } else {
        await appendContended(store, appender, `book-${(number + turn) % SHARED_STREAMS}`, texts);
      }
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, (_, number) => lane(number)));
  await appender.close();
  await store.close();
  return written;
}

async function appendTwice(
  appender: Appender<Noted>,
  decided: ReturnType<typeof commit>,
  turn: number,
): Promise<Verdict> {
  const verdict = await appender.append(decided);
  if (turn % 5 !== 0) return verdict;
  const again = await appender.append(decided);
  if (again.verdict !== 'duplicate') throw new Error(`a retry was given ${JSON.stringify(again)}`);
  return verdict;
}

async function appendContended(
  store: { streamRevision(stream: string): Promise<number> },
  appender: Appender<Noted>,
  stream: string,
  texts: string[],
): Promise<void> {
  let expected = await store.streamRevision(stream);
  for (;;) {
    const verdict = await appender.append({ ...commit(stream, expected, texts), id: randomUUID() });
    if (verdict.verdict === 'ok') return;
    if (verdict.verdict !== 'conflict') throw new Error(JSON.stringify(verdict));
    expected = verdict.actualRevision;
  }
}

const events = Number(eventsText);
const written = await Promise.all([write(`${name}a`, events), write(`${name}b`, events)]);
console.log(JSON.stringify({ written: written.reduce((sum, n) => sum + n, 0) }));
