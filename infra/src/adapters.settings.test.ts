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

test.for([
  ['DATABASE_URL', 'postgres://h:abc/x', 'postgres://user:canary/1@h:5432/x', 'postgres://h:70000/x'],
  [
    'EVENTSTORE_URL',
    'esdb://',
    'esdb://h:abc',
    'esdb://h:70000',
    'esdb://a:2113,,b:2113',
    'esdb://user:canary#1@h',
  ],
  ['KAFKA_BROKERS', 'h', 'h:abc', 'h:70000', 'a:9092,b'],
  ['REDIS_URL', 'redis://', 'redis://h:abc', 'redis://h:70000', 'redis://:canary/1@h'],
])('%s: an address that names no server is told, without its secret', ([name = '', ...wrong]) => {
  for (const address of wrong) {
    const told = () => settings({ [name]: address });
    expect(told, address).toThrow(`${name}: must be `);
    expect(told, address).not.toThrow('canary');
  }
});

test.for([
  [
    'DATABASE_URL',
    'postgres://user:p%2F%23w@h:5432/x?sslmode=require',
    'postgresql:///x?host=/run/postgresql',
  ],
  [
    'EVENTSTORE_URL',
    'esdb://127.0.0.1:2113?tls=false',
    'esdb+discover://u:p@a:2113,b:2113,c/?tls=true',
    'esdb://[::1]:2113',
  ],
  ['KAFKA_BROKERS', 'h:1', 'a:9092, b:65535'],
  ['REDIS_URL', 'redis://h', 'rediss://u:p@h:6380/3'],
])('%s: an address that names a server is taken', ([name = '', ...right]) => {
  for (const address of right) expect(() => settings({ [name]: address }), address).not.toThrow();
});
