import type { FetchedMessage, KafkaFetcher } from '../../kafka/fetch.ts';
import type { KafkaClient } from '../../kafka/kafka.ts';
import { isLeaderless } from '../../kafka/leaderless.ts';
import type { Log } from '../../runtime/log.ts';
import { isServerAway } from '../../runtime/outage.ts';
import { backOffMs } from '../../runtime/retry.ts';
import { type Runtime, sleep } from '../../runtime/runtime.ts';
import { aborted, withinTime } from '../../runtime/waiting.ts';
import { generationName, newestGeneration } from './generations.ts';

/**
 * Reads partitions of a topic from their last message on, for ever. Nobody else has a say in which: there is no
 * consumer group, so nothing is negotiated, and no offset is kept. A session that fails, or that has only fallen
 * silent, is given up and followed by another. States: opening → reading → ended → opening, until it is stopped.
 */
export type TopicFetching = {
  /** Resolves at once, whatever the brokers do: nothing is given any more. */
  stop(): Promise<void>;
};

export type TopicFetchingOptions = {
  kafka: Pick<KafkaClient, 'fetcher' | 'topicNames' | 'outage'>;
  topic: { name: string; generation: number; partitions: number };
  /** Partitions to be read; asked before each fetch. */
  wanted: () => readonly number[];
  runtime: Runtime;
  log?: Log | undefined;
  /** Milliseconds between two fetches that find something: what they find together costs less. */
  paceMs?: number;
  /** There may be a gap before whatever comes next from this partition. */
  onBreak(partition: number): void;
  /** A session is over: nothing is read until there is another. */
  onEnded(): void;
  /** Given in the order of each partition; until it has settled, nothing more is fetched from the same broker. */
  onMessages(found: readonly FoundMessages[]): Promise<void>;
};

export type FoundMessages = { partition: number; messages: readonly FetchedMessage[] };

/** Milliseconds that a broker holds a fetch for which it has nothing: an idle reader asks once a second. */
const FETCH_WAIT_MS = 1_000;
/** Milliseconds without an answer to a fetch: by then it should have been told three times that there is nothing. */
const SILENT_MS = 3 * FETCH_WAIT_MS;
/** Milliseconds for connecting and finding the ends of the partitions. */
const OPEN_MS = 15_000;
/** Milliseconds of failures until one is worth a warning: topics may just be made, or brokers be starting. */
const TELL_AFTER_MS = 10_000;
/** Bytes of one answer: decoding it takes some 15 ms, in which the process does nothing else. */
const FETCH_BYTES_MAX = 1024 * 1024;

export function topicFetching(options: TopicFetchingOptions): TopicFetching {
  const { runtime, log, topic, onBreak, onEnded } = options;
  const stopping = new AbortController();
  const run = async () => {
    let failingSinceMs = runtime.monotonicMs();
    let isTold = false;
    for (let failures = 1; !stopping.signal.aborted; failures++) {
      const { why: err, wasRead } = await oneSession(options, stopping.signal);
      for (let partition = 0; partition < topic.partitions; partition++) onBreak(partition);
      onEnded();
      if (stopping.signal.aborted) return;
      const about = { err, topic: topic.name };
      if (err instanceof Silent) options.kafka.outage.failed(err);
      if (err instanceof Silent || isServerAway(err)) {
        // The outage tells it.
        log?.debug(about, 'the brokers are away; the topic is opened again');
        if (wasRead) failures = 1;
        failingSinceMs = runtime.monotonicMs();
      } else if (wasRead) {
        failures = 1;
        failingSinceMs = runtime.monotonicMs();
        isTold = false;
        // Leaders change; if none comes, the topic cannot be read, and that is told.
        log?.[isLeaderless(err) ? 'debug' : 'warn'](
          about,
          'the topic is not read any more; it is opened again',
        );
      } else if (!isTold && runtime.monotonicMs() - failingSinceMs >= TELL_AFTER_MS) {
        isTold = true;
        log?.warn(about, 'the topic cannot be read; it is tried until it can');
      } else log?.debug(about, 'the topic cannot be read yet');
      await sleep(runtime, backOffMs(failures), stopping.signal);
    }
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** Resolves when it is over, with the reason, and whether any fetch was answered. */
async function oneSession(
  options: TopicFetchingOptions,
  stop: AbortSignal,
): Promise<{ why: unknown; wasRead: boolean }> {
  const { kafka, runtime, log } = options;
  const over = new AbortController();
  const signal = AbortSignal.any([stop, over.signal]);
  const stopped = aborted(signal);
  const opening = openNewest(kafka, options.topic);
  let following: Promise<void>[] = [];
  let wasRead = false;
  const onAnswer = () => {
    wasRead = true;
  };
  try {
    const opened = inTime(runtime, OPEN_MS, opening, 'the brokers did not answer');
    const newest = await Promise.race([opened, stopped]);
    if (!newest) return { why: null, wasRead };
    const led = newest.fetcher.byLeader(partitionsOf(newest.topic));
    following = led.map((some) => follow({ ...options, ...newest, led: some, signal, onAnswer }));
    await Promise.race([stopped, ...following]);
    return { why: null, wasRead };
  } catch (why) {
    return { why, wasRead };
  } finally {
    over.abort();
    // Not waited for: kafkajs gives up what hangs in its own time, and only then lets go of its connections.
    const close = async () => {
      const { fetcher } = await opening;
      await Promise.allSettled(following);
      await fetcher.close();
    };
    close().catch((error: unknown) =>
      log?.debug({ err: error }, 'a Kafka connection was not closed in good order'),
    );
  }
}

/** Opens the newest generation of a topic; when that is deleted, because it is made anew, the session fails. */
async function openNewest(
  kafka: TopicFetchingOptions['kafka'],
  { name, generation, partitions }: TopicFetchingOptions['topic'],
) {
  const newest = newestGeneration(await kafka.topicNames(), name, generation);
  const topic = { name: generationName(name, newest), generation: newest, partitions };
  return { topic, fetcher: await kafka.fetcher([topic]) };
}

type Following = TopicFetchingOptions & {
  fetcher: KafkaFetcher;
  /** Partitions that one broker leads: its answer waits for nobody else's. */
  led: readonly { topic: string; partition: number }[];
  signal: AbortSignal;
  /** A fetch was answered. */
  onAnswer(): void;
};

/** Throws when it cannot go on: another broker leads now, or the topic is not what it was. */
async function follow(options: Following): Promise<void> {
  const { fetcher, led, topic, runtime, signal, wanted, onMessages, onBreak, paceMs = 0 } = options;
  const next = new Map<number, bigint>();
  const placeNew = async (partitions: readonly number[]) => {
    for (const partition of next.keys()) {
      if (partitions.includes(partition)) continue;
      next.delete(partition);
      onBreak(partition);
    }
    if (partitions.every((partition) => next.has(partition))) return;
    const bounds = await inTime(runtime, OPEN_MS, fetcher.bounds([topic]), 'the ends were not told');
    for (const { partition, first, next: end } of bounds) {
      if (!partitions.includes(partition) || next.has(partition)) continue;
      // From the last message on, because it tells how far the topic is.
      next.set(partition, end > first ? end - 1n : end);
    }
  };

  while (!signal.aborted) {
    const partitions = wanted().filter((partition) => led.some((one) => one.partition === partition));
    await placeNew(partitions);
    if (partitions.length === 0) {
      await sleep(runtime, FETCH_WAIT_MS, signal);
      continue;
    }
    const places = partitions.map((partition) => ({
      topic: topic.name,
      partition,
      offset: next.get(partition) ?? 0n,
    }));
    const limits = { waitMs: FETCH_WAIT_MS, bytesMax: FETCH_BYTES_MAX };
    const answers = await inTime(runtime, SILENT_MS, fetcher.fetch(places, limits), 'no fetch was answered');
    options.onAnswer();
    if (signal.aborted) return;
    const found = answers.filter(({ messages }) => messages.length > 0);
    for (const { partition, messages } of found) next.set(partition, (messages.at(-1)?.offset ?? 0n) + 1n);
    if (found.length > 0) await onMessages(found);
    if (found.length > 0 && paceMs > 0) await sleep(runtime, paceMs, signal);
  }
}

const partitionsOf = ({ name, partitions }: { name: string; partitions: number }) =>
  Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition }));

/** The brokers say nothing, though the connection stands. */
class Silent extends Error {
  override name = 'Silent';
}

/** The work's result, or `Silent` after `ms`: `silence` says in words what did not happen. */
const inTime = <T>(runtime: Runtime, ms: number, work: Promise<T>, silence: string): Promise<T> =>
  withinTime(runtime, ms, work, () => {
    throw new Silent(`${silence} within ${ms} ms`);
  });
