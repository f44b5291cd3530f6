import { expect, test } from 'vitest';
import { createLog, REDACTED_FIELDS } from './log.ts';

function logged(write: (log: ReturnType<typeof createLog>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  write(createLog({ name: 'test', level: 'info', instance: 'test-1', destination }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('a line says when, what level, which service and instance, and what', () => {
  expect(logged((log) => log.info({ position: 7 }, 'caught up'))).toEqual([
    {
      level: 'info',
      time: expect.any(String),
      service: 'test',
      instance: 'test-1',
      position: 7,
      msg: 'caught up',
    },
  ]);
});

test.for([...REDACTED_FIELDS])('%s never reaches a log', (field) => {
  const secret = { [field]: 'canary' };
  const lines = logged((log) => log.info({ ...secret, body: secret, request: { headers: secret } }, 'seen'));
  expect(JSON.stringify(lines)).not.toContain('canary');
});

test.for(['name', 'code'])('%s of a person is hidden, of an error it is shown', (field) => {
  const secret = { [field]: 'canary' };
  const lines = logged((log) => log.info({ ...secret, body: secret, request: { body: secret } }, 'seen'));
  expect(JSON.stringify(lines)).not.toContain('canary');
  const error = Object.assign(new Error('no'), { [field]: 'ECONNREFUSED' });
  expect(JSON.stringify(logged((log) => log.error({ err: error }, 'failed')))).toContain('ECONNREFUSED');
});
