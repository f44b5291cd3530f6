import { expect, test } from 'vitest';
import { z } from 'zod';
import { adapterSettings, adapterVariables } from './adapters.settings.ts';
import { ConfigError, loadConfig } from './runtime/config.ts';

const DATABASE_URL = 'postgres://brokerx:secret@127.0.0.1:5432/brokerx';
const settings = (env: NodeJS.ProcessEnv) =>
  adapterSettings(loadConfig(z.object(adapterVariables), { DATABASE_URL, ...env }));

test('nothing but a database: every port is PostgreSQL', () => {
  expect(settings({})).toEqual({ databaseUrl: DATABASE_URL });
});

test('Kafka is a list of brokers, with TLS, signing in and copies where they are asked for', () => {
  expect(settings({ KAFKA_BROKERS: ' one:9092, two:9093,' }).kafka).toEqual({
    brokers: ['one:9092', 'two:9093'],
    ssl: false,
    replication: 1,
  });
  const secured = {
    KAFKA_BROKERS: 'one:9092',
    KAFKA_SSL: 'true',
    KAFKA_SASL_MECHANISM: 'scram-sha-512',
    KAFKA_USERNAME: 'brokerx',
    KAFKA_PASSWORD: 'canary',
    KAFKA_REPLICATION: '3',
  };
  expect(settings(secured).kafka).toEqual({
    brokers: ['one:9092'],
    ssl: true,
    sasl: { mechanism: 'scram-sha-512', username: 'brokerx', password: 'canary' },
    replication: 3,
  });
  const { KAFKA_PASSWORD: _, ...rest } = secured;
  expect(() => settings(rest)).toThrow(ConfigError);
  expect(() => settings(rest)).toThrow(
    'KAFKA_PASSWORD: is not set, and KAFKA_SASL_MECHANISM is\n      Set KAFKA_USERNAME and KAFKA_PASSWORD, or unset KAFKA_SASL_MECHANISM.',
  );
});
