import assert from 'node:assert/strict';
import type { Kafka, PartitionerArgs, Producer, RetryOptions } from 'kafkajs';
import type { Runtime } from '../runtime/runtime.ts';
import { withinTime } from '../runtime/waiting.ts';
import { disconnect } from './disconnect.ts';

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
 * How long, and for how many messages, a producer keeps its identity. Brokers forget an identity after a day without messages,
 * and then accept no higher sequence number from it. A partition's sequence numbers end at 2^31, where kafkajs and the brokers
 * continue differently.
 */
const IDENTITY_MS_MAX = 12 * 3_600_000;
const IDENTITY_MESSAGES_MAX = 1_000_000_000;

export async function kafkaProducer(options: {
  kafka: Kafka;
  retry: RetryOptions;
  runtime: Runtime;
  /** When aborted, sends are refused and pending ones rejected. */
  stop: AbortSignal;
}): Promise<KafkaProducer> {
  const { kafka, retry, runtime, stop } = options;
  const connect = async () => {
    const producer: Producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: () => partitionOfMessage,
      retry,
    });
    try {
      await producer.connect();
    } catch (error) {
      await disconnect(producer, runtime);
      throw error;
    }
    return { producer, createdMs: runtime.monotonicMs(), messages: 0 };
  };
  /** Awaits the sending, but rejects when it takes too long or `stop` is aborted. */
  const withinSendTime = async (sending: Promise<unknown>): Promise<void> => {
    const stopped = Promise.withResolvers<never>();
    const onStop = () => stopped.reject(new Error('nothing is to be sent any more'));
    stop.addEventListener('abort', onStop, { once: true });
    if (stop.aborted) onStop();
    try {
      await withinTime(runtime, SEND_MS, Promise.race([sending, stopped.promise]), () => {
        throw new Error(`the brokers did not acknowledge within ${SEND_MS} ms`);
      });
    } finally {
      stop.removeEventListener('abort', onStop);
    }
  };

  let current = await connect();
  return {
    async send(messages) {
      stop.throwIfAborted();
      if (
        current.messages >= IDENTITY_MESSAGES_MAX ||
        runtime.monotonicMs() - current.createdMs >= IDENTITY_MS_MAX
      ) {
        // No message is in flight: those of the next identity cannot overtake it.
        await disconnect(current.producer, runtime);
        current = await connect();
      }
      const topicMessages = [...messages].map(([topic, some]) => ({ topic, messages: [...some] }));
      for (const { messages: some } of topicMessages) current.messages += some.length;
      const sending = current.producer.sendBatch({ acks: -1, timeout: ACKNOWLEDGE_MS, topicMessages });
      await withinSendTime(sending);
    },
    close: () => disconnect(current.producer, runtime),
  };
}

/** Takes the partition from the message. kafkajs's own partitioner looks at all partitions for each message. */
const partitionOfMessage = ({ message: { partition } }: PartitionerArgs): number => {
  assert(partition !== undefined, 'a message without a partition');
  return partition;
};
