import { depthKey, MARKET_DATA_VIEW } from '@brokerx/contracts';
import { memoryHotStore } from '@brokerx/infra';
import { createLog } from '@brokerx/infra/runtime/log.ts';
import { expect, test } from 'vitest';
import { handClock, settle } from '../../test/handClock.ts';
import { freshness } from '../reading/freshness.ts';
import { hotValues, READ_INTERVAL_MS } from './hotValues.ts';

const STORE = '11111111-1111-4111-8111-111111111111';

const given = () => {
  const clock = handClock();
  const view = memoryHotStore().view(MARKET_DATA_VIEW.name, MARKET_DATA_VIEW.version);
  const fresh = freshness({ storeId: STORE, runtime: clock });
  const hub = hotValues({
    view,
    shows: (cursor) => cursor !== null && fresh.shows('market data', cursor.position),
    runtime: clock,
    log: createLog({ name: 'test', level: 'silent' }),
  });
  let position = 0;
  const change = async (values: Record<string, string>) => {
    const set = new Map(Object.entries(values).map(([symbol, text]) => [depthKey(symbol), text]));
    const from = await view.cursor();
    await view.write({ from, to: { storeId: STORE, position: ++position }, set });
    hub.changed();
  };
  /** Lets what is due happen. */
  const pass = async (ms: number) => {
    clock.pass(ms);
    await settle();
  };
  /** The view is one that it was before. */
  const goBack = (by: number) => {
    position -= by;
  };
  return { hub, change, goBack, pass };
};

test('a watcher hears what is there, then every other text, and not the same one twice', async () => {
  const { hub, change, pass } = given();
  await change({ XEQT: 'one' });
  const heard: string[] = [];
  hub.watch(depthKey('XEQT'), (text) => heard.push(text));
  await pass(READ_INTERVAL_MS);
  await change({ AAPL: 'another symbol' });
  await pass(READ_INTERVAL_MS);
  await change({ XEQT: 'two' });
  await pass(READ_INTERVAL_MS);
  expect(heard).toEqual(['one', 'two']);
});

test('of many changes within the interval only the newest is heard', async () => {
  const { hub, change, pass } = given();
  const heard: string[] = [];
  hub.watch(depthKey('XEQT'), (text) => heard.push(text));
  await pass(0);
  for (const text of ['a', 'b', 'c']) await change({ XEQT: text });
  await pass(READ_INTERVAL_MS - 1);
  expect(heard).toEqual([]);
  await pass(1);
  expect(heard).toEqual(['c']);
});

test('who comes later hears at once what the others have', async () => {
  const { hub, change, pass } = given();
  hub.watch(depthKey('XEQT'), () => undefined);
  await change({ XEQT: 'one' });
  await pass(READ_INTERVAL_MS);
  const heard: string[] = [];
  hub.watch(depthKey('XEQT'), (text) => heard.push(text));
  expect(heard).toEqual(['one']);
});

test('who has left hears nothing', async () => {
  const { hub, change, pass } = given();
  const heard: string[] = [];
  const leave = hub.watch(depthKey('XEQT'), (text) => heard.push(text));
  leave();
  await change({ XEQT: 'one' });
  await pass(READ_INTERVAL_MS);
  expect(heard).toEqual([]);
});

test('a view that went back is not shown before it is as far as it was shown', async () => {
  const { hub, change, goBack, pass } = given();
  const heard: string[] = [];
  hub.watch(depthKey('XEQT'), (text) => heard.push(text));
  await change({ XEQT: 'one' });
  await change({ XEQT: 'two' });
  await pass(READ_INTERVAL_MS);
  goBack(2);
  await change({ XEQT: 'one' });
  await pass(READ_INTERVAL_MS);
  await change({ XEQT: 'two, again' });
  await pass(READ_INTERVAL_MS);
  await change({ XEQT: 'three' });
  await pass(READ_INTERVAL_MS);
  expect(heard).toEqual(['two', 'two, again', 'three']);
});
