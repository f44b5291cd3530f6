import { expect, test } from 'vitest';
import { z } from 'zod';
import * as commands from './commands.ts';
import { REQUESTS, StreamRequest, Subscribe, Unsubscribe } from './streamProtocol.ts';

/** Every schema of what a client sends, by name. */
const schemas = Object.entries({
  ...(commands as Readonly<Record<string, unknown>>),
  ...REQUESTS,
  StreamRequest,
  Subscribe,
  Unsubscribe,
}).flatMap(([name, schema]) => (schema instanceof z.ZodObject ? [[name, schema] as const] : []));

/** Keys that a copy, a merge or a look-up along the prototype may lose or find. */
const KEYS = ['symobl', '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', ''];

test('there are schemas to look at', () => {
  expect(schemas.map(([name]) => name)).toEqual(
    expect.arrayContaining([
      'PlaceOrder',
      'CancelOrders',
      'AmendOrder',
      'Register',
      'cancel_orders',
      'authenticate',
    ]),
  );
});

test.for(schemas)('%s refuses keys that it does not know, own and inherited', ([, schema]) => {
  for (const key of KEYS) {
    // As JSON.parse makes it: an own key, `__proto__` included.
    const own = JSON.parse(`{${JSON.stringify(key)}:"x"}`) as object;
    const inherited = Object.create(Object.fromEntries([[key, 'x']]) as object) as object;
    for (const given of [own, inherited]) {
      const { error } = schema.safeParse(given);
      const unknown = (error?.issues ?? []).flatMap((issue) =>
        issue.code === 'unrecognized_keys' ? issue.keys : [],
      );
      expect(unknown, key).toEqual([key]);
    }
  }
});
