import { randomUUID } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { type Noted, notedCodec } from '../../test/noted.ts';
import { sessionsInMemory } from '../../test/sessionsInMemory.ts';
import { memoryEventStore } from '../eventStore/eventStore.memory.ts';
import type { EventStore } from '../eventStore/eventStore.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { SessionUnknown } from './sessionEnds.ts';

const NOW_MS = Date.parse('2026-01-05T14:30:00.000Z');
const LATER_MS = NOW_MS + 900_000;
const clock = () => {
  const runtime = { ...realRuntime, now: NOW_MS, nowMs: () => runtime.now };
  return runtime;
};
const ann = (sessionId: string, sessionRevision: number) => ({ clientId: 'ann', sessionId, sessionRevision });

test('an end that is recorded after the start is heard, whoever records it', async () => {
  const { sessions, tell } = await sessionsInMemory({ runtime: clock() });
  const began = await tell('ann', 'began s1');
  expect(sessions.hasEnded(ann('s1', began))).toBe(false);
  await tell('ann', `ended s1 ${LATER_MS}`);
  await expect.poll(() => sessions.hasEnded(ann('s1', began))).toBe(true);
  expect(sessions.hasEnded(ann('s2', began + 2))).toBe(false);
});

test('an end from before the start is learnt with the token, from the beginning of its session on', async () => {
  const store = memoryEventStore<Noted>({ id: randomUUID(), codec: notedCodec });
  const runtime = clock();
  const { tell } = await sessionsInMemory({ runtime, store });
  const first = await tell('ann', 'began s1');
  const second = await tell('ann', 'began s2');
  for (let page = 0; page < 3; page++) await tell('ann', ...Array.from({ length: 400 }, () => 'failed'));
  await tell('ann', `ended s1 ${LATER_MS}`);

  const { sessions } = await sessionsInMemory({ runtime, store });
  expect(sessions.hasEnded(ann('s1', first))).toBe(false);
  await sessions.learn(ann('s1', first));
  expect([sessions.hasEnded(ann('s1', first)), sessions.hasEnded(ann('s2', second))]).toEqual([true, false]);
});

test('an end of all ends those that began before it in the stream, and none that began after', async () => {
  const { sessions, tell } = await sessionsInMemory({ runtime: clock() });
  const before = await tell('ann', 'began s1');
  const end = await tell('ann', `ended * ${LATER_MS}`);
  const after = await tell('ann', 'began s2');
  await tell('bob', 'began s3');
  await expect.poll(() => sessions.hasEnded(ann('s1', before))).toBe(true);
  expect(sessions.hasEnded(ann('s2', after))).toBe(false);
  expect(sessions.hasEnded({ clientId: 'bob', sessionId: 's3', sessionRevision: 0 })).toBe(false);
  // Told late of an earlier one, the later one still holds.
  sessions.note('ann', { sessionId: null, untilMs: LATER_MS }, end + 5);
  sessions.note('ann', { sessionId: null, untilMs: LATER_MS }, end);
  expect(sessions.hasEnded(ann('s2', after))).toBe(true);
});

test('listeners are called once, at once where it has ended already, and not when they have left', async () => {
  const { sessions, tell } = await sessionsInMemory({ runtime: clock() });
  const began = await tell('ann', 'began s1');
  const [one, gone, other, late] = [vi.fn(), vi.fn(), vi.fn(), vi.fn()];
  sessions.onEnd(ann('s1', began), one);
  sessions.onEnd(ann('s1', began), gone)();
  sessions.onEnd(ann('s2', began + 1), other);
  sessions.note('ann', { sessionId: 's1', untilMs: LATER_MS }, began + 1);
  sessions.note('ann', { sessionId: 's1', untilMs: LATER_MS }, began + 1);
  sessions.onEnd(ann('s1', began), late);
  await Promise.resolve();
  expect([one, gone, other, late].map(({ mock }) => mock.calls.length)).toEqual([1, 0, 0, 1]);
});

test('ends are remembered until no token of theirs is valid; beyond the bound everything is looked at anew', async () => {
  const runtime = clock();
  const { sessions } = await sessionsInMemory({ runtime, endsMax: 2 });
  const end = (sessionId: string, untilMs = LATER_MS) => sessions.note('ann', { sessionId, untilMs }, 9);
  end('long ago', NOW_MS - 3_600_000);
  end('s1', NOW_MS + 1_000);
  end('s2');
  runtime.now += 120_000;
  end('s3');
  expect([sessions.era(), ...['s1', 's2', 's3'].map((id) => sessions.hasEnded(ann(id, 0)))]).toEqual([
    0,
    false,
    true,
    true,
  ]);
  end('s4');
  expect([sessions.era(), ...['s2', 's3', 's4'].map((id) => sessions.hasEnded(ann(id, 0)))]).toEqual([
    1,
    false,
    false,
    true,
  ]);
});

test('a store that cannot be read, or does not answer, leaves it unknown', async () => {
  const memory = memoryEventStore<Noted>({ id: randomUUID(), codec: notedCodec });
  let answer: () => Promise<never> = () => Promise.reject(new Error('connection terminated'));
  const store: EventStore<Noted> = { ...memory, readStream: () => answer() };
  const { sessions } = await sessionsInMemory({ runtime: realRuntime, store });
  await expect(sessions.learn(ann('s1', 0))).rejects.toThrow(SessionUnknown);
  answer = () => new Promise(() => undefined);
  await expect(sessions.learn(ann('s1', 0))).rejects.toThrow(SessionUnknown);
});
