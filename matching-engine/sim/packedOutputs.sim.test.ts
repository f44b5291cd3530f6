import { type Event, eventCodec } from '@brokerx/contracts';
import { realRuntime } from '@brokerx/infra';
import { expect, test } from 'vitest';
import { packOutputs } from '../src/recovery/outputs.ts';
import { apply, newEngine } from '../src/rules/engine.ts';
import { workload } from './workload.ts';

const INPUTS = 4_000;

/** An output whose fields stand in another order than those that are listed would be stored whole, three times as long. */
test('whatever the engine says is stored packed', () => {
  const codec = eventCodec();
  const engine = newEngine('SIM');
  const outputs = packOutputs('SIM', -1, realRuntime);
  const [whole, kinds] = [new Set<string>(), new Set<string>()];
  const store = (events: readonly Event[], id: string) => {
    const text = codec.pack(id, events);
    for (const { type, more } of events) {
      kinds.add(type);
      if (!more && text.includes(`"type":"${type}"`)) whole.add(type);
    }
  };
  for (const input of workload(1, 'SIM').take(INPUTS)) {
    const full = outputs.add(input, apply(engine, input), input.event.time);
    for (const { commit } of full) store(commit.events, commit.id);
  }
  const { commit } = outputs.take() ?? {};
  store(commit?.events ?? [], commit?.id ?? '');
  expect([...whole]).toEqual([]);
  expect(kinds.size).toBeGreaterThan(15);
});
