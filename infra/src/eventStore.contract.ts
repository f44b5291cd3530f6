import { afterEach, beforeEach, describe } from 'vitest';
import type { Noted } from '../test/noted.ts';
import { appendContract } from './eventStore.append.contract.ts';
import { readContract } from './eventStore.read.contract.ts';
import type { EventStore } from './eventStore.ts';

/** What every adapter of the event store must do. `open` gives an empty store; `close` ends and removes it. */
export function eventStoreContract(
  name: string,
  open: () => Promise<{ store: EventStore<Noted>; close(): Promise<void> }>,
): void {
  describe(`${name}: event store`, () => {
    let store: EventStore<Noted>;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ store, close } = await open());
    });
    afterEach(() => close());

    appendContract(() => store);
    readContract(() => store);
  });
}
