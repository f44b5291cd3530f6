import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { deriveId, type Event, eventCodec, seal } from '@brokerx/contracts';
import { derivedId } from '@brokerx/infra/eventStore/eventstoredb/derivedId.ts';
import { eventIdOf } from '@brokerx/infra/eventStore/eventstoredb/wire.ts';
import { storedEventCodec } from '@brokerx/infra/eventStore/migration/storedEvents.ts';
import { expect, test } from 'vitest';

/** Two packages that do not know each other must mean the same: what an event is in a store, and what its id is. */
const fixtures = globSync(resolve(import.meta.dirname, '../../contracts/fixtures/*.json'));

test('a tool that moves events makes of them what the services make of them', () => {
  expect(fixtures.length).toBeGreaterThan(20);
  for (const path of fixtures) {
    const event = JSON.parse(readFileSync(join(path), 'utf8')) as Event;
    const parts = eventCodec().parts(event);
    expect(storedEventCodec.parts(event as never)).toEqual(parts);
    expect(JSON.stringify(storedEventCodec.whole(parts))).toBe(JSON.stringify(eventCodec().whole(parts)));
  }
});

test('an event has the same id in its envelope and in the store', () => {
  const commitId = 'c9f0a9d0-5ad4-4a3b-8f7e-1f6f5f1f0a11';
  const cause = { time: '', actor: 'system:test', correlationId: '', causationId: '', traceparent: '' };
  const events = seal(commitId, cause, [
    { type: 'A.v1', data: {} },
    { type: 'B.v1', data: {} },
  ]);
  expect(events.map(({ id }) => id)).toEqual([eventIdOf(commitId, 0), eventIdOf(commitId, 1)]);
  expect(derivedId(commitId, 'anything else')).toBe(deriveId(commitId, 'anything else'));
});
