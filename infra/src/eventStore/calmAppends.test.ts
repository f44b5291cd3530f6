import { expect, test } from 'vitest';
import { plainText } from '../../test/plainText.ts';
import { type Runtime, realRuntime } from '../runtime/runtime.ts';
import { calmAppends } from './calmAppends.ts';
import { memoryEventStore } from './eventStore.memory.ts';

test('the first append is told at once, those that follow soon after together', async () => {
  const codec = {
    ...plainText<{ n: number }>(),
    typeOf: () => 'n',
    marksOf: () => ['n'],
    parts: (event: { n: number }) => ({ type: 'n', data: event, metadata: {} }),
    whole: ({ data }: { data: unknown }) => data as { n: number },
    storedTypesOf: () => ['n'],
  };
  const memory = memoryEventStore<{ n: number }>({ id: '7b5f0d0e-6f3a-4c7e-9a54-0a4c2a3f9d11', codec });
  let append: () => void = () => undefined;
  const store = {
    ...memory,
    onAppend: (listener: () => void) => {
      append = listener;
      return () => undefined;
    },
  };
  let nowMs = 0;
  let due: { atMs: number; run: () => void } | null = null;
  const runtime: Runtime = {
    ...realRuntime,
    monotonicMs: () => nowMs,
    setTimer: (ms, run) => {
      due = { atMs: nowMs + ms, run };
      return () => {
        due = null;
      };
    },
  };
  const told: number[] = [];
  const leave = calmAppends(store, runtime, 20).onAppend(() => told.push(nowMs));
  for (nowMs = 0; nowMs < 50; nowMs++) {
    const { atMs, run } = due ?? { atMs: Number.POSITIVE_INFINITY, run: () => undefined };
    if (nowMs >= atMs) {
      due = null;
      run();
    }
    if (nowMs < 30) append();
  }
  expect(told).toEqual([0, 20, 40]);
  append();
  leave();
  expect(due).toBeNull();
});
