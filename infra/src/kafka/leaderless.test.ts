import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { isServerAway } from '../runtime/outage.ts';
import { isLeaderless } from './leaderless.ts';

/** kafkajs's own errors, made as it makes them of a broker's answer. */
const kafkajs = createRequire(import.meta.url);
const { createErrorFromCode } = kafkajs('kafkajs/src/protocol/error.js') as {
  createErrorFromCode(code: number): Error;
};
const { KafkaJSNumberOfRetriesExceeded } = kafkajs('kafkajs/src/errors.js') as {
  KafkaJSNumberOfRetriesExceeded: new (cause: Error, tries: object) => Error;
};

test.for([5, 6, 9, 19, 20, 74, 75, 78])('code %i of a broker: the leaders are not there yet', (code) => {
  const error = createErrorFromCode(code);
  expect(isLeaderless(error)).toBe(true);
  expect(isLeaderless(new KafkaJSNumberOfRetriesExceeded(error, { retryCount: 5, retryTime: 1_000 }))).toBe(
    true,
  );
  // The brokers answer: it is nothing that an outage tells.
  expect(isServerAway(error)).toBe(false);
});

test.for([
  createErrorFromCode(1), // an offset that is not there
  createErrorFromCode(3), // a topic that is not there
  createErrorFromCode(29), // a topic that this client may not read
  new Error('the topics have lost messages: they are filled again'),
  'NOT_LEADER_FOR_PARTITION',
])('%s is something else', (error) => {
  expect(isLeaderless(error)).toBe(false);
});
