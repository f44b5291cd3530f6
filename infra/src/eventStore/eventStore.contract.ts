import { afterEach, beforeEach, describe } from 'vitest';
import type { Stage } from '../../test/stage.ts';
import { appendContract } from './eventStore.append.contract.ts';
import { readContract } from './eventStore.read.contract.ts';

/**
 * What every adapter of the event store must do. `open` gives a store, of the test's own or shared with others;
 * closing it removes what can be removed. `keepsText`: the store keeps a commit's text as it is given.
 */
export function eventStoreContract(
  name: string,
  open: () => Promise<Stage>,
  given: { keepsText: boolean },
): void {
  describe(`${name}: event store`, () => {
    let stage: Stage;
    beforeEach(async () => {
      stage = await open();
    });
    afterEach(() => stage.close());

    appendContract(() => stage);
    readContract(() => stage, given);
  });
}
