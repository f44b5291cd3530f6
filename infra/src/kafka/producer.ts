import assert from 'node:assert/strict';
import type { Kafka, PartitionerArgs, Producer, RetryOptions } from 'kafkajs';
import type { Runtime } from '../runtime/runtime.ts';
import { disconnected } from './disconnect.ts';

/**
 * A producer: idempotent, one request at a time, all replicas asked. kafkajs never gives a producer a new
 * identity, neither after an error that one needs nor before its sequence numbers run out, so this makes new ones; and what
 * kafkajs would wait for without end has a limit here.
 */
export type KafkaProducer = {
  /** Resolves when every message is acknowledged. After a rejection nobody knows which are: begin anew from the topics. */
  send(messages: Outgoing): Promise<void>;
  close(): Promise<void>;
};

/** By topic. */
export type Outgoing = ReadonlyMap<string, readonly OutgoingMessage[]>;

export type OutgoingMessage = {
  partition: number;
  key: string | null;
  value: string;
  headers: Record<string, string>;
  /** Milliseconds since the epoch, as text. */
  timestamp: string;
};

/** Milliseconds for one send with all repetitions inside kafkajs. Beyond it the topics are asked what they have. */
const SEND_MS = 30_000;
/** Milliseconds that the brokers may take to have it on all replicas. */
const ACKNOWLEDGE_MS = 10_000;
/**
 * A producer's life. Brokers forget an identity after a day without messages and then take no higher sequence number of
 * it; and sequence numbers of a partition end at 2^31, where kafkajs and the brokers go on differently.
 */
const LIFE_MS = 12 * 3_600_000;
const LIFE_MESSAGES = 1_000_000_000;

export async function kafkaProducer(options: {
  kafka: Kafka;
  retry: RetryOptions;
  runtime: Runtime;
  /** Aborted: nothing is sent any more, and nothing waited for. */
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
  /** As the work, but rejects when it takes too long or is not wanted any more. */
  const withinTime = <T>(work: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const stop = () => settle(() => reject(new Error('nothing is to be sent any more')));
      const cancel = runtime.setTimer(SEND_MS, () =>
        settle(() => reject(new Error(`the brokers did not acknowledge within ${SEND_MS} ms`))),
      );
      const settle = (how: () => void) => {
        cancel();
        over.removeEventListener('abort', stop);
        how();
      };
      over.addEventListener('abort', stop, { once: true });
      work.then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(error)),
      );
      if (over.aborted) stop();
    });

  let current = await connected();
  return {
    async send(messages) {
      over.throwIfAborted();
      if (current.messages >= LIFE_MESSAGES || runtime.monotonicMs() - current.madeMs >= LIFE_MS) {
        // Nothing is on its way: the next identity cannot overtake this one.
        await disconnected(current.producer, runtime);
        current = await connected();
      }
      const topicMessages = [...messages].map(([topic, some]) => ({ topic, messages: [...some] }));
      for (const { messages: some } of topicMessages) current.messages += some.length;
      const sending = current.producer.sendBatch({ acks: -1, timeout: ACKNOWLEDGE_MS, topicMessages });
      await withinTime(sending);
    },
    close: () => disconnected(current.producer, runtime),
  };
}

/** Every message says where it goes. kafkajs's own way looks at all partitions first, for each message. */
const partitionStated = ({ message: { partition } }: PartitionerArgs): number => {
  assert(partition !== undefined, 'a message without a partition');
  return partition;
};
