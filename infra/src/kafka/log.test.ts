import { logLevel } from 'kafkajs';
import { expect, test } from 'vitest';
import { createLog } from '../runtime/log.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { kafkaLogCreator } from './log.ts';

function written() {
  const lines: string[] = [];
  const log = createLog({
    name: 'test',
    level: 'debug',
    destination: { write: (line) => void lines.push(line) },
  });
  let nowMs = 0;
  const write = kafkaLogCreator(log, { ...realRuntime, monotonicMs: () => nowMs })();
  const say = (level: logLevel, message: string, about: object = {}) =>
    write({ namespace: 'Connection', level, label: '', log: { timestamp: '', message, ...about } });
  const read = () =>
    lines.splice(0).map((line) => {
      const { level, msg, kafka, broker, stack, timestamp } = JSON.parse(line);
      return { level, msg, kafka, broker, stack, timestamp };
    });
  return {
    say,
    read,
    later: (ms: number) => {
      nowMs += ms;
    },
  };
}

test.for([
  ['an error that kafkajs repeats is a warning', logLevel.ERROR, 'warn'],
  ['a warning', logLevel.WARN, 'warn'],
  ['what is merely told', logLevel.INFO, 'debug'],
  ['details', logLevel.DEBUG, 'debug'],
] as const)('%s', ([, level, ours]) => {
  const { say, read } = written();
  say(level, 'The topic is not authorized', { broker: 'kafka:9092', stack: 'at …' });
  expect(read()).toEqual([
    { level: ours, msg: 'The topic is not authorized', kafka: 'Connection', broker: 'kafka:9092' },
  ]);
});

test.for([
  'Response ListOffsets(key: 2, version: 3)',
  'Connection error: connect ECONNREFUSED 127.0.0.1:9092',
  'Connection timeout',
  'Failed to connect to seed broker, trying another broker from the list: Connection error: read ECONNRESET',
  'Failed to connect to broker, reconnecting',
])('%s is a detail: whoever asked is given the error, and the outage is told', (line) => {
  const { say, read } = written();
  say(logLevel.ERROR, line);
  expect(read().map(({ level }) => level)).toEqual(['debug']);
});

test('a line that was just written is not written again, for half a minute', () => {
  const { say, read, later } = written();
  for (let i = 0; i < 20; i++) {
    say(logLevel.ERROR, 'The topic is not authorized');
    later(1_000);
  }
  say(logLevel.ERROR, 'another line');
  expect(read().map(({ msg }) => msg)).toEqual(['The topic is not authorized', 'another line']);
  later(10_000);
  say(logLevel.ERROR, 'The topic is not authorized');
  expect(read()).toHaveLength(1);
});

test('advice that does not concern us is left out', () => {
  const { say, read } = written();
  say(logLevel.WARN, 'Limiting retries for the idempotent producer may invalidate EoS guarantees');
  expect(read()).toEqual([]);
});
