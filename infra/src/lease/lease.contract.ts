import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Leases } from './lease.ts';

/** What every adapter of the leases must do. `open` gives a function that joins an owner to one installation. */
export function leaseContract(
  name: string,
  open: () => Promise<{ join(owner: string, ttlMs: number): Promise<Leases>; close(): Promise<void> }>,
): void {
  describe(`${name}: leases`, () => {
    const TTL_MS = 1_000;
    let join: (owner: string, ttlMs: number) => Promise<Leases>;
    let close: () => Promise<void>;
    let [first, second]: Leases[] = [];
    beforeEach(async () => {
      ({ join, close } = await open());
      first = await join('first', TTL_MS);
      second = await join('second', TTL_MS);
    });
    afterEach(async () => {
      await Promise.all([first?.close(), second?.close()]);
      await close();
    });

    test('one owner at a time has a lease, for as long as it renews it', async () => {
      const lease = await first?.tryAcquire('settler');
      expect(lease).toMatchObject({ name: 'settler', epoch: 1 });
      expect(await second?.tryAcquire('settler')).toBeNull();
      expect(await second?.tryAcquire('timer')).toMatchObject({ name: 'timer', epoch: 1 });
      await delay(TTL_MS * 2);
      expect(await second?.tryAcquire('settler')).toBeNull();
      expect(lease?.lost.aborted).toBe(false);
    });

    test('a released lease is free at once, and the next one has a higher epoch', async () => {
      const lease = await first?.tryAcquire('settler');
      await lease?.release();
      expect(lease?.lost.aborted).toBe(true);
      expect(await second?.tryAcquire('settler')).toMatchObject({ epoch: 2 });
      expect(await first?.tryAcquire('settler')).toBeNull();
    });

    test('a restarted owner takes over at once, and its former self learns that it is over', async () => {
      const before = await first?.tryAcquire('settler');
      const restarted = await join('first', TTL_MS);
      expect(await restarted.tryAcquire('settler')).toMatchObject({ epoch: 2 });
      await expect.poll(() => before?.lost.aborted, { timeout: TTL_MS }).toBe(true);
      // Its release does not touch the new lease.
      await before?.release();
      expect(await second?.tryAcquire('settler')).toBeNull();
      await restarted.close();
    });

    test('who waits gets the lease when it is free', async () => {
      const lease = await first?.tryAcquire('settler');
      const waiting = second?.acquire('settler', new AbortController().signal);
      await delay(30);
      await lease?.release();
      expect(await waiting).toMatchObject({ epoch: 2 });
    });

    test('all leases of an owner live on together, and one that another process of its name took does not', async () => {
      const names = ['a', 'b', 'c', 'd'];
      const held = await Promise.all(names.map((name) => first?.tryAcquire(name)));
      const twin = await join('first', TTL_MS);
      expect(await twin.tryAcquire('b')).toMatchObject({ epoch: 2 });
      await delay(TTL_MS * 2);
      expect(held.map((lease) => lease?.isHeld())).toEqual([true, false, true, true]);
      expect(held[1]?.lost.aborted).toBe(true);
      await twin.close();
    });

    test('everybody sees which leases run, and whose they are', async () => {
      const released = await first?.tryAcquire('a');
      await first?.tryAcquire('b');
      await second?.tryAcquire('c');
      const brief = await join('third', TTL_MS);
      await brief.tryAcquire('d');
      const seen = async () =>
        (await second?.running())?.sort((one, other) => (one.name < other.name ? -1 : 1));
      expect(await seen()).toEqual([
        { name: 'a', owner: 'first' },
        { name: 'b', owner: 'first' },
        { name: 'c', owner: 'second' },
        { name: 'd', owner: 'third' },
      ]);
      await released?.release();
      await brief.close();
      expect(await seen()).toEqual([
        { name: 'b', owner: 'first' },
        { name: 'c', owner: 'second' },
      ]);
    });

    test('who waits no longer gets nothing', async () => {
      await first?.tryAcquire('settler');
      const stop = new AbortController();
      const waiting = second?.acquire('settler', stop.signal);
      stop.abort();
      expect(await waiting).toBeNull();
    });

    test('closing frees what is held', async () => {
      const lease = await first?.tryAcquire('settler');
      await first?.close();
      expect(lease?.lost.aborted).toBe(true);
      expect(await second?.tryAcquire('settler')).toMatchObject({ epoch: 2 });
    });
  });
}
