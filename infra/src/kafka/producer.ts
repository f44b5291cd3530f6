import assert from 'node:assert/strict';
import type { Kafka, PartitionerArgs, Producer, RetryOptions } from 'kafkajs';
import type { Runtime } from '../runtime/runtime.ts';
import { withinTime } from '../runtime/waiting.ts';
import { disconnected } from './disconnect.ts';

/**
 * An idempotent producer: one request at a time, acknowledged by all replicas. kafkajs never gives a producer a new identity,
 * neither after an error that requires one nor before its sequence numbers run out, so this replaces the producer; and it
 * bounds waits that kafkajs leaves endless.
 */
export type KafkaProducer = {
  /** Resolves when every message is acknowledged. After a rejection nobody knows which are: read the topics to go on. */
  send(messages: Outgoing): Promise<void>;
  close(): Promise<void>;
};

/** Messages by topic. */
export type Outgoing = ReadonlyMap<string, readonly OutgoingMessage[]>;

export type OutgoingMessage = {
  partition: number;
  key: string | null;
  value: string;
  headers: Record<string, string>;
  /** Milliseconds since the epoch, as text. */
  timestamp: string;
};

/** Milliseconds for one send, with all repetitions inside kafkajs. After that the topics show what was stored. */
const SEND_MS = 30_000;
/** Milliseconds that the brokers may take to store messages on all replicas. */
const ACKNOWLEDGE_MS = 10_000;
/**
 * A producer's life. Brokers forget an identity after a day without messages, and then accept no higher sequence number from
 * it. A partition's sequence numbers end at 2^31, where kafkajs and the brokers continue differently.
 */
const LIFE_MS = 12 * 3_600_000;
const LIFE_MESSAGES = 1_000_000_000;

export async function kafkaProducer(options: {
  kafka: Kafka;
  retry: RetryOptions;
  runtime: Runtime;
  /** When aborted, sends are refused and pending ones rejected. */
  over: AbortSignal;
}): Promise<KafkaProducer> {
  const { kafka, retry, runtime, over } = options;
  const connected = async () => {
    const producer: Producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: () => partitionStated,
      retry,
    });
    try {
      await producer.connect();
    } catch (error) {
      await disconnected(producer, runtime);
      throw error;
    }
    return { producer, madeMs: runtime.monotonicMs(), messages: 0 };
  };
  /** Awaits the sending, but rejects when it takes too long or `over` is aborted. */
  const inTime = async (sending: Promise<unknown>): Promise<void> => {
    const stopped = Promise.withResolvers<never>();
    const stop = () => stopped.reject(new Error('nothing is to be sent any more'));
    over.addEventListener('abort', stop, { once: true });
    if (over.aborted) stop();
    try {
      await withinTime(runtime, SEND_MS, Promise.race([sending, stopped.promise]), () => {
        throw new Error(`the brokers did not acknowledge within ${SEND_MS} ms`);
      });
    } finally {
      over.removeEventListener('abort', stop);
    }
  };

  let current = await connected();
  return {
    async send(messages) {
      over.throwIfAborted();
      if (current.messages >= LIFE_MESSAGES || runtime.monotonicMs() - current.madeMs >= LIFE_MS) {
        // No message is in flight: those of the next identity cannot overtake it.
        await disconnected(current.producer, runtime);
        current = await connected();
      }
      const topicMessages = [...messages].map(([topic, some]) => ({ topic, messages: [...some] }));
      for (const { messages: some } of topicMessages) current.messages += some.length;
      const sending = current.producer.sendBatch({ acks: -1, timeout: ACKNOWLEDGE_MS, topicMessages });
      await inTime(sending);
    },
    close: () => disconnected(current.producer, runtime),
  };
}

/** Takes the partition from the message. kafkajs's own partitioner looks at all partitions for each message. */
const partitionStated = ({ message: { partition } }: PartitionerArgs): number => {
  assert(partition !== undefined, 'a message without a partition');
  return partition;
};
