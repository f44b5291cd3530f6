import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Caller, fairTurns, NoTurn } from './fairTurns.ts';

/** Callers whose work ends when the test ends it, and a record of whose turns came. */
function given(atATimeMax = 1, waitingPerKindMax = 4) {
  const turns = fairTurns({ atATimeMax, waitingPerKindMax });
  const begun: string[] = [];
  const refused: string[] = [];
  const ends: (() => void)[] = [];
  const left = new Set<string>();
  const ask = (kind: string, address: string, name = `${kind} ${address}`) => {
    const caller: Caller = { kind, address, isGone: () => left.has(name) };
    const outcome = turns.inTurn(caller, () => {
      begun.push(name);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
    outcome.catch((error: unknown) => {
      if (!(error instanceof NoTurn)) throw error;
      refused.push(name);
    });
  };
  const settle = () => new Promise(setImmediate);
  const endAll = async () => {
    await settle();
    for (let end = ends.shift(); end; end = ends.shift()) {
      end();
      await settle();
    }
  };
  return { turns, ask, begun, refused, left, settle, endAll };
}

test('kinds take turns, and in a kind addresses do', async () => {
  const { ask, begun, endAll } = given();
  ask('register', 'a', 'r0');
  for (const name of ['r1', 'r2', 'r3']) ask('register', 'a', name);
  ask('sign in', 'a', 's1');
  ask('register', 'b', 'rb');
  ask('sign in', 'b', 's2');
  await endAll();
  expect(begun).toEqual(['r0', 'r1', 's1', 'rb', 's2', 'r2', 'r3']);
});

test('a full line takes whoever has fewer waiting than somebody else, and refuses the last of those', async () => {
  const { ask, refused, begun, settle, endAll } = given();
  for (const name of ['a0', 'a1', 'a2', 'a3', 'a4', 'a5']) ask('register', 'a', name);
  await settle();
  expect(refused).toEqual(['a5']);
  ask('register', 'b', 'b1');
  ask('register', 'b', 'b2');
  ask('register', 'b', 'b3');
  ask('sign in', 'a', 's1');
  await settle();
  expect(refused).toEqual(['a5', 'a4', 'a3', 'b3']);
  await endAll();
  expect(begun.toSorted()).toEqual(['a0', 'a1', 'a2', 'b1', 'b2', 's1']);
});

test('who has left gets no turn, and leaves room for others', async () => {
  const { ask, refused, begun, left, settle, endAll } = given();
  for (const name of ['a0', 'a1', 'a2', 'a3', 'a4']) ask('register', 'a', name);
  left.add('a1').add('a3');
  ask('register', 'a', 'a5');
  await settle();
  expect(refused).toEqual(['a1', 'a3']);
  left.add('a2');
  await endAll();
  expect([begun, refused]).toEqual([
    ['a0', 'a4', 'a5'],
    ['a1', 'a3', 'a2'],
  ]);
});

test('whatever comes and goes, everybody is served or refused, and no turn is lost', async () => {
  const step = fc.record({ kind: fc.nat(2), address: fc.nat(4), leaves: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { turns, ask, begun, refused, left, endAll } = given(2, 5);
      for (const [index, { kind, address, leaves }] of steps.entries()) {
        ask(`kind ${kind}`, `address ${address}`, String(index));
        if (leaves) left.add(String(index));
      }
      await endAll();
      expect([...begun, ...refused].map(Number).toSorted((a, b) => a - b)).toEqual([...steps.keys()]);
      expect(turns.waiting()).toBe(0);
      const before = begun.length;
      ask('kind 0', 'somebody', 'last');
      await endAll();
      expect(begun.slice(before)).toEqual(['last']);
    }),
    { numRuns: 100 },
  );
});
