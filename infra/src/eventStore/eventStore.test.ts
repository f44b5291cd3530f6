import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { commit, notedCodec, ok } from '../../test/noted.ts';
import { aloneOn, sharing } from '../../test/stage.ts';
import { eventStoreContract } from './eventStore.contract.ts';
import { memoryEventStore } from './eventStore.memory.ts';
import { NO_STREAM } from './eventStore.ts';

const open = () => memoryEventStore({ id: randomUUID(), codec: notedCodec });
const KEPT = { keepsText: true };

eventStoreContract('memory', () => aloneOn(open()), KEPT);

// As a store that others use at the same time is tested, on one where that can be seen to hold.
const shared = open();
let tests = 0;
eventStoreContract(
  'memory, shared with others',
  async () => {
    const written = await shared.streamRevision('account-stranger');
    await shared.append([commit('account-stranger', written, ['filled by a stranger'], { symbol: 'A' })]);
    return { ...(await sharing(shared, `t${tests++}`)), close: async () => undefined };
  },
  { keepsText: false },
);

test('positions are counted from 1, without a gap', async () => {
  const store = open();
  expect(await store.head()).toBe(0);
  const verdicts = await store.append([
    commit('account-1', NO_STREAM, ['a', 'b']),
    commit('account-2', NO_STREAM, ['c']),
  ]);
  expect(verdicts).toEqual([ok(1, 2), ok(0, 3)]);
});
