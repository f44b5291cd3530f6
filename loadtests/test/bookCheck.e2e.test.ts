import { expect, test } from 'vitest';
import { bookCheck } from '../src/bookCheck.ts';
import { openTarget } from '../src/own/target.ts';

test('local books equal the server’s while connections drop and the server that they follow is killed', async () => {
  const target = await openTarget({ queryApis: 2 });
  try {
    const options = {
      seconds: 15,
      symbols: 2,
      books: 2,
      drops: true,
      kills: 2,
      halts: 1,
      roundMs: 200,
      seed: 20_261_124,
    };
    const { differences, compared, commands, connections, books } = await bookCheck(target, options);
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThanOrEqual(options.symbols * options.books);
    expect(commands).toBeGreaterThan(0);
    expect(books.updates).toBeGreaterThan(0);
    expect(books.mismatches).toBe(0);
    expect(connections.dropped).toBeGreaterThan(0);
  } finally {
    await target.close();
  }
}, 180_000);
