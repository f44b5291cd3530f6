import { expect, test } from 'vitest';
import { createLog } from './log.ts';
import { outage, REMIND_EVERY_MS, sharedOutage, unlessOutage } from './outage.ts';

function outageWithClock(options: Partial<Parameters<typeof outage>[0]> = {}) {
  const lines: { level: string; msg: string; reason?: string; failures?: number }[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const clock = { ms: 5_000 };
  const server = outage({
    ...options,
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

test('one that comes and goes is told three times, and then once a minute', () => {
  const { server, clock, said } = outageWithClock();
  const away = (forMs: number) => {
    server.failed(refused);
    clock.ms += forMs;
    server.answered();
    clock.ms += 1_000;
  };
  for (let time = 1; time <= 20; time++) away(500);
  expect(said()).toHaveLength(2 * 3);
  clock.ms += REMIND_EVERY_MS;
  away(500);
  expect(said()).toEqual([
    'warn PostgreSQL (127.0.0.1:5432) comes and goes (17 more times since it was last told), and is away: until it answers, nothing is read or written',
    'info PostgreSQL (127.0.0.1:5432) answers again after 0.5 s',
  ]);
});

test('one that comes and goes, and then stays away, is told within a minute', () => {
  const { server, clock, said } = outageWithClock();
  for (let time = 1; time <= 4; time++) {
    server.answered();
    server.failed(refused);
    clock.ms += 100;
  }
  said();
  clock.ms += REMIND_EVERY_MS;
  server.failed(refused);
  server.answered();
  expect(said()).toEqual([
    'warn PostgreSQL (127.0.0.1:5432) is away: until it answers, nothing is read or written',
    'info PostgreSQL (127.0.0.1:5432) answers again after 1 min 0 s',
  ]);
});

test('what does not pass by itself is told as that, also where the server was only away before', () => {
  const wrongPassword = new Error('DATABASE_URL: the server does not let this user in. Check the password.');
  const { server, lines, said } = outageWithClock({ isFinal: (error) => error === wrongPassword });
  server.failed(wrongPassword);
  server.failed(wrongPassword);
  server.answered();
  server.failed(refused);
  server.failed(wrongPassword);
  server.failed(wrongPassword);
  expect(lines.map(({ reason }) => reason)).toEqual([
    wrongPassword.message,
    undefined,
    'connect ECONNREFUSED 127.0.0.1:5432',
    wrongPassword.message,
  ]);
  expect(said()[0]).toBe(
    'warn PostgreSQL (127.0.0.1:5432) cannot be used: until that is mended, nothing is read or written',
  );
});

test('an attempt that began before another was answered begins no outage', () => {
  const { server, clock, said } = outageWithClock({ settleMs: 2_000 });
  server.failed(refused);
  server.answered();
  server.failed(refused);
  expect(said()).toHaveLength(2);
  clock.ms += 2_000;
  server.failed(refused);
  expect(said()).toHaveLength(1);
});

test('all who call one server in a process tell one outage', () => {
  const lines: string[] = [];
  const log = createLog({
    name: 'test',
    level: 'info',
    destination: { write: (line) => void lines.push(line) },
  });
  const [one, other, elsewhere] = ['Redis (a:1)', 'Redis (a:1)', 'Redis (b:1)'].map((server) =>
    sharedOutage({ log, runtime: { monotonicMs: () => 0 }, server, meaning: 'views wait' }),
  );
  one?.failed(refused);
  other?.failed(refused);
  elsewhere?.failed(refused);
  other?.answered();
  one?.answered();
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
    'Redis (a:1) is away: until it answers, views wait',
    'Redis (b:1) is away: until it answers, views wait',
    'Redis (a:1) answers again after 0.0 s',
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
