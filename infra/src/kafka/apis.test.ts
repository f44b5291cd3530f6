import { expect, test } from 'vitest';
import { type ApiVersions, assertSupported } from './apis.ts';

/** The versions of the needed APIs that Kafka 4.1.0 offers: Produce, Fetch, ListOffsets, Metadata, ApiVersions, … */
const offered = (change: ApiVersions = {}): ApiVersions => ({
  0: { minVersion: 0, maxVersion: 13 },
  1: { minVersion: 4, maxVersion: 18 },
  2: { minVersion: 1, maxVersion: 11 },
  3: { minVersion: 0, maxVersion: 13 },
  18: { minVersion: 0, maxVersion: 4 },
  19: { minVersion: 2, maxVersion: 7 },
  22: { minVersion: 0, maxVersion: 5 },
  32: { minVersion: 1, maxVersion: 4 },
  ...change,
});

test('Kafka 4.1 is spoken with', () => {
  expect(() => assertSupported(offered())).not.toThrow();
});

test.for([
  [
    'a broker that has dropped old versions',
    { 0: { minVersion: 9, maxVersion: 14 } },
    'Produce is offered in versions 9 to 14, implemented are 0 to 7',
  ],
  [
    'a broker that is older than what is implemented',
    { 32: { minVersion: -2, maxVersion: -1 } },
    'DescribeConfigs is offered in versions -2 to -1, implemented are 0 to 2',
  ],
] as const)('%s is refused, and the message says which and what to use', ([, change, says]) => {
  expect(() => assertSupported(offered(change))).toThrow(
    `this Kafka broker does not speak what kafkajs speaks: ${says}. Use a broker between 3.6 and 4.x.`,
  );
});

test('something that is missing is named', () => {
  const { 22: _, ...rest } = offered();
  expect(() => assertSupported(rest)).toThrow('InitProducerId is not offered');
});
