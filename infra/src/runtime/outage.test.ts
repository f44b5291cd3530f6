import { expect, test } from 'vitest';
import { createLog } from './log.ts';
import { outage, REMIND_EVERY_MS, unlessOutage } from './outage.ts';

function outageWithClock() {
  const lines: { level: string; msg: string; reason?: string; failures?: number }[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const clock = { ms: 5_000 };
  const server = outage({
    log: createLog({ name: 'test', level: 'info', destination }),
    runtime: { monotonicMs: () => clock.ms },
    server: 'PostgreSQL (127.0.0.1:5432)',
    meaning: 'nothing is read or written',
  });
  const said = () => lines.splice(0).map(({ level, msg }) => `${level} ${msg}`);
  return { server, clock, lines, said };
}

const refused = new Error('connect ECONNREFUSED 127.0.0.1:5432\n    at somewhere');

test('an outage is one warning and one line when it is over, however many calls fail', () => {
  const { server, clock, lines } = outageWithClock();
  server.answered();
  for (let call = 0; call < 500; call++) {
    server.failed(refused);
    clock.ms += 5;
  }
  expect(server.isAway()).toBe(true);
  server.answered();
  server.answered();
  expect(server.isAway()).toBe(false);
  expect(lines).toEqual([
    expect.objectContaining({
      level: 'warn',
      msg: 'PostgreSQL (127.0.0.1:5432) is away: until it answers, nothing is read or written',
      reason: 'connect ECONNREFUSED 127.0.0.1:5432',
    }),
    expect.objectContaining({
      level: 'info',
      msg: 'PostgreSQL (127.0.0.1:5432) answers again after 2.5 s',
      failures: 500,
    }),
  ]);
  expect(JSON.stringify(lines), 'no stack trace').not.toContain('at somewhere');
});

test('a long one is called to mind once a minute', () => {
  const { server, clock, said } = outageWithClock();
  for (let second = 0; second <= 125; second++) {
    server.failed(refused);
    clock.ms += 1_000;
  }
  server.answered();
  expect(said()).toEqual([
    'warn PostgreSQL (127.0.0.1:5432) is away: until it answers, nothing is read or written',
    'warn PostgreSQL (127.0.0.1:5432) is still away, for 1 min 0 s: nothing is read or written',
    'warn PostgreSQL (127.0.0.1:5432) is still away, for 2 min 0 s: nothing is read or written',
    'info PostgreSQL (127.0.0.1:5432) answers again after 2 min 6 s',
  ]);
});

test('the next outage begins anew', () => {
  const { server, clock, said } = outageWithClock();
  server.failed(refused);
  clock.ms += REMIND_EVERY_MS;
  server.answered();
  said();
  server.failed(new Error(''));
  clock.ms += 400;
  server.answered();
  expect(said()).toEqual([
    'warn PostgreSQL (127.0.0.1:5432) is away: until it answers, nothing is read or written',
    'info PostgreSQL (127.0.0.1:5432) answers again after 0.4 s',
  ]);
});

const coded = (code: string) => Object.assign(new Error('no'), { code });

test.for([
  ['refused', coded('ECONNREFUSED')],
  ['ended by a crash of the server', coded('57P02')],
  ['broken', new Error('Connection terminated unexpectedly')],
  ['broken, as the cause of another', new Error('an append failed', { cause: coded('ECONNRESET') })],
  ['refused at each of its addresses', new AggregateError([coded('ECONNREFUSED')])],
] as const)('a connection that is %s is told by the outage alone', ([, error]) => {
  expect(unlessOutage(error, 'error')).toBe('debug');
});

test.for([
  ['a statement that PostgreSQL refuses', coded('42P01')],
  ['one that took too long', coded('57014')],
  ['a file that is not there', coded('ENOENT')],
  ['a defect', new TypeError('x is undefined')],
  ['what is no error', 'no'],
] as const)('%s keeps its level', ([, error]) => {
  expect(unlessOutage(error, 'error')).toBe('error');
});
