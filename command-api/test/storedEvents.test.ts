import { deriveId, eventIdOf, requestIdOf, seal } from '@brokerx/contracts';
import { realRuntime } from '@brokerx/infra';
import { derivedId } from '@brokerx/infra/eventStore/eventstoredb/derivedId.ts';
import { eventIdOf as idInEventStoreDb } from '@brokerx/infra/eventStore/eventstoredb/wire.ts';
import { mintTraceparent } from '@brokerx/infra/runtime/traceparent.ts';
import { expect, test } from 'vitest';

/** Two packages that do not know each other must mean the same by ids. */
const commitId = 'c9f0a9d0-5ad4-4a3b-8f7e-1f6f5f1f0a11';

test('an event has the same id in its envelope and in every store', () => {
  const cause = { time: '', actor: 'system:test', correlationId: '', causationId: '', traceparent: '' };
  const facts = Array.from({ length: 500 }, () => ({ type: 'A.v1', data: {} }));
  expect(seal(commitId, cause, facts).map(({ id }) => id)).toEqual(
    facts.map((_, index) => idInEventStoreDb(commitId, index)),
  );
  expect(eventIdOf(commitId, 10)).toBe('c9f0a9d0-5ad4-800a-8f7e-1f6f5f1f0a11');
  expect(derivedId(commitId, 'anything else')).toBe(deriveId(commitId, 'anything else'));
});

test('a trace that begins here bears the id of its request, and one that somebody else began does not', () => {
  const traceparent = mintTraceparent(realRuntime);
  const id = requestIdOf(traceparent) ?? '';
  expect(traceparent).toBe(`00-${id.replaceAll('-', '')}-${id.slice(19).replaceAll('-', '')}-01`);
  expect(requestIdOf('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')).toBeUndefined();
  expect(requestIdOf(traceparent.replace(/-01$/, '-00'))).toBeUndefined();
  expect(requestIdOf('')).toBeUndefined();
});
