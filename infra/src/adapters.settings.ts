import { z } from 'zod';
import { ConfigError, ESCAPES, sharedVariables } from './runtime/config.ts';

/**
 * The settings that choose the adapters: PostgreSQL for every port, unless another server's address is set. Each address
 * switches its port alone.
 */
export const adapterVariables = {
  DATABASE_URL: sharedVariables.DATABASE_URL,
  EVENTSTORE_URL: z
    .string()
    .regex(/^esdb(\+discover)?:\/\//, { message: 'must begin with esdb:// or esdb+discover://', abort: true })
    .refine(isEventStoreAddress, `must be an address such as esdb://user:password@host:2113, ${ESCAPES}`)
    .optional()
    .describe(
      'EventStoreDB or KurrentDB as the event store, such as esdb://127.0.0.1:2113?tls=false; unset: DATABASE_URL.',
    ),
  KAFKA_BROKERS: z
    .string()
    .transform((list) => list.split(',').flatMap((broker) => broker.trim() || []))
    .pipe(z.array(z.string().refine(isBroker, 'must be host:port, separated by commas')).min(1))
    .optional()
    .describe('Kafka brokers, such as kafka-1:9092,kafka-2:9092; unset: consumers read the event store.'),
  KAFKA_SSL: z
    .enum(['true', 'false'])
    .default('false')
    .describe('Whether the brokers are spoken to over TLS: true or false.'),
  KAFKA_SASL_MECHANISM: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512'])
    .optional()
    .describe('How to sign in to Kafka: plain, scram-sha-256 or scram-sha-512; unset: not at all.'),
  KAFKA_USERNAME: z.string().min(1).optional().describe('The user name at Kafka.'),
  KAFKA_PASSWORD: z.string().min(1).optional().describe('The password at Kafka.'),
  KAFKA_REPLICATION: z.coerce
    .number({ error: 'must be a number of brokers, 1 to 9' })
    .int()
    .min(1)
    .max(9)
    .default(1)
    .describe('Copies of each partition of a topic that is made: 3 where there are three brokers.'),
  REDIS_URL: z
    .string()
    .regex(/^rediss?:\/\//, { message: 'must begin with redis:// or rediss://', abort: true })
    .refine(isRedisAddress, `must be an address such as rediss://user:password@host:6379/0, ${ESCAPES}`)
    .optional()
    .describe(
      'Redis for hot views and shared rate limits, such as redis://127.0.0.1:6379; unset: DATABASE_URL, and limits for each process.',
    ),
} as const;

/** One server, or several with commas between them; a URL has one host alone. */
function isEventStoreAddress(text: string): boolean {
  const [, servers = ''] = /:\/\/(?:[^@/?#]*@)?([^@/?#]*)\/?(?:\?[^#]*)?$/.exec(text) ?? [];
  return servers
    .split(',')
    .every((server) => URL.parse(`esdb://${server}`)?.host === server && server !== '');
}

function isBroker(text: string): boolean {
  return /^[^:/\s]+:\d+$/.test(text) && URL.canParse(`kafka://${text}`);
}

/** After the host comes a database number or nothing; in a password `#` and `/` must be escaped. */
function isRedisAddress(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.hostname !== '' && /^(\/\d*)?$/.test(url.pathname) && url.hash === '';
}

type AdapterConfig = z.output<z.ZodObject<typeof adapterVariables>>;

export type KafkaSettings = {
  brokers: readonly string[];
  ssl: boolean;
  sasl?: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string };
  replication: number;
};

export type AdapterSettings = {
  databaseUrl: string;
  eventStoreUrl?: string | undefined;
  kafka?: KafkaSettings | undefined;
  redisUrl?: string | undefined;
};

export function adapterSettings(config: AdapterConfig): AdapterSettings {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_USERNAME: username, KAFKA_PASSWORD: password } = config;
  const sasl = mechanism && username && password ? { mechanism, username, password } : null;
  if (mechanism && !sasl) {
    const variable = username ? 'KAFKA_PASSWORD' : 'KAFKA_USERNAME';
    const remedy = 'Set KAFKA_USERNAME and KAFKA_PASSWORD, or unset KAFKA_SASL_MECHANISM.';
    throw new ConfigError([{ variable, rule: 'is not set, and KAFKA_SASL_MECHANISM is', remedy }]);
  }
  const kafka = config.KAFKA_BROKERS && {
    brokers: config.KAFKA_BROKERS,
    ssl: config.KAFKA_SSL === 'true',
    replication: config.KAFKA_REPLICATION,
    ...(sasl ? { sasl } : {}),
  };
  return {
    databaseUrl: config.DATABASE_URL,
    eventStoreUrl: config.EVENTSTORE_URL,
    kafka,
    redisUrl: config.REDIS_URL,
  };
}
