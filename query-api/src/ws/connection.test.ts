import { createLog } from '@brokerx/infra/runtime/log.ts';
import { expect, test } from 'vitest';
import { handClock, settle } from '../../test/handClock.ts';
import { refused } from '../http/problems.ts';
import { streamMessage } from '../live/streamMessage.ts';
import type { PublicSubscription } from '../streams/channels.ts';
import type { Sink } from '../streams/sink.ts';
import { type ConnectionDeps, connection, MESSAGES_PER_SECOND_MAX } from './connection.ts';
import { SUBSCRIPTIONS_MAX } from './subscriptions.ts';

/** A client that takes everything, and channels that a test speaks on. */
function given(wait: () => Promise<void> = async () => undefined) {
  const clock = handClock();
  const received: Record<string, unknown>[] = [];
  const opened: { asked: PublicSubscription; to: Sink; begun: boolean }[] = [];
  const deps = {
    runtime: clock,
    log: createLog({ name: 'test', level: 'silent' }),
    channels: {
      async open(asked: PublicSubscription, to: Sink) {
        if (asked.symbol === 'NOWHERE') throw refused('UNKNOWN_SYMBOL');
        const its = { asked, to, begun: false };
        opened.push(its);
        await wait();
        return { sequence: () => 7, begin: () => void (its.begun = true) };
      },
    },
  } as unknown as ConnectionDeps;
  const socket = {
    bufferedAmount: 0,
    send: (text: string, sent: () => void) => {
      received.push(JSON.parse(text));
      sent();
    },
  };
  const reasons: string[] = [];
  const its = connection(socket, deps, (reason) => reasons.push(reason));
  let id = 0;
  const ask = async (method: string, params: object = {}) => {
    id += 1;
    its.message(JSON.stringify({ id, method, params }));
    await settle();
    return received.find((message) => message['id'] === id);
  };
  return { its, ask, received, opened, clock };
}
const depth = (symbol: string) => ({ channel: 'depth', symbol });
const many = (from: number, count: number) => Array.from({ length: count }, (_, n) => depth(`S${from + n}`));

test('a connection has so many subscriptions and no more; what ends makes room', async () => {
  const { ask } = given();
  for (let from = 0; from < SUBSCRIPTIONS_MAX; from += 100) {
    expect(await ask('subscribe', { subscriptions: many(from, 100) })).toHaveProperty('result');
  }
  const oneMore = { subscriptions: [depth('MORE')] };
  expect(await ask('subscribe', oneMore)).toMatchObject({
    error: { code: 'TOO_MANY_SUBSCRIPTIONS', status: 429 },
  });
  expect(await ask('subscribe', { subscriptions: many(0, 1) })).toHaveProperty('result');
  await ask('unsubscribe', { subscriptions: many(0, 1) });
  expect(await ask('subscribe', oneMore)).toHaveProperty('result');
});

test('a channel that is subscribed to again begins anew, and is told once', async () => {
  const { ask, opened, received } = given();
  const message = streamMessage({ channel: 'depth', symbol: 'A' }, 8, '{}');
  await ask('subscribe', { subscriptions: [depth('A'), depth('A')] });
  await ask('subscribe', { subscriptions: [{ ...depth('A'), after: 3 }] });
  for (const { to } of opened) to.send(message);
  expect(opened.map(({ asked, to, begun }) => [asked.after, to.ended.aborted, begun])).toEqual([
    [undefined, true, true],
    [3, false, true],
  ]);
  expect(received.filter(({ type }) => type === 'data')).toHaveLength(1);
});

test('nothing is said before the reply', async () => {
  const { ask, opened, received } = given();
  await ask('subscribe', { subscriptions: [depth('A')] });
  opened[0]?.to.send(streamMessage({ channel: 'depth', symbol: 'A' }, 8, '{}'));
  expect(received.map(({ type }) => type)).toEqual(['reply', 'data']);
});

test('where one of several cannot be given, the others have ended', async () => {
  const { ask, opened } = given();
  await ask('subscribe', { subscriptions: [depth('A'), depth('NOWHERE')] });
  expect(opened.map(({ to, begun }) => [to.ended.aborted, begun])).toEqual([[true, false]]);
});

test('more messages in a second than may be are refused, whatever they say', async () => {
  const { ask, its, received, clock } = given();
  for (let n = 0; n < MESSAGES_PER_SECOND_MAX - 1; n++) its.message('rubbish');
  expect(await ask('ping')).toHaveProperty('result');
  expect(await ask('ping')).toMatchObject({ error: { code: 'REQUEST_LIMIT' } });
  clock.pass(1_000);
  expect(await ask('ping')).toHaveProperty('result');
  expect(received).toHaveLength(MESSAGES_PER_SECOND_MAX + 2);
});

test('with the connection all its channels end', async () => {
  const { ask, its, opened } = given();
  await ask('subscribe', { subscriptions: many(0, 3) });
  its.closed();
  expect(opened.map(({ to }) => to.ended.aborted)).toEqual([true, true, true]);
});

test('what is asked for all at once counts from the moment it is asked for', async () => {
  const gate = Promise.withResolvers<void>();
  const { its, received, opened } = given(() => gate.promise);
  for (let id = 0; id < 9; id++) {
    its.message(JSON.stringify({ id, method: 'subscribe', params: { subscriptions: many(id * 100, 100) } }));
  }
  gate.resolve();
  for (let turns = 0; turns < 200; turns++) await settle();
  expect(received.filter((message) => 'result' in message)).toHaveLength(SUBSCRIPTIONS_MAX / 100);
  expect(received.filter((message) => 'error' in message)).toHaveLength(4);
  expect(opened.filter(({ to }) => !to.ended.aborted)).toHaveLength(SUBSCRIPTIONS_MAX);
});

test('one that is opened again keeps its one place, though the first is ended meanwhile', async () => {
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  const { its, ask, opened } = given(() => {
    asked += 1;
    return asked <= SUBSCRIPTIONS_MAX ? Promise.resolve() : gate.promise;
  });
  for (let from = 0; from < SUBSCRIPTIONS_MAX; from += 100) {
    await ask('subscribe', { subscriptions: many(from, 100) });
  }
  its.message(JSON.stringify({ id: 'again', method: 'subscribe', params: { subscriptions: many(0, 100) } }));
  await ask('unsubscribe', { subscriptions: many(0, 100) });
  expect(await ask('subscribe', { subscriptions: many(1_000, 100) })).toMatchObject({
    error: { code: 'TOO_MANY_SUBSCRIPTIONS' },
  });
  gate.resolve();
  for (let turns = 0; turns < 200; turns++) await settle();
  expect(opened.filter(({ to }) => !to.ended.aborted)).toHaveLength(SUBSCRIPTIONS_MAX);
});

test('what is opened while the connection ends, ends with it', async () => {
  const gate = Promise.withResolvers<void>();
  const { its, opened } = given(() => gate.promise);
  its.message(JSON.stringify({ id: 1, method: 'subscribe', params: { subscriptions: many(0, 3) } }));
  its.closed();
  gate.resolve();
  for (let turns = 0; turns < 20; turns++) await settle();
  expect(opened.map(({ to, begun }) => [to.ended.aborted, begun])).toEqual([[true, false]]);
});

test('a channel that cannot be given has ended, too, not only those before it', async () => {
  const { ask, opened } = given(() => Promise.reject(refused('UNAVAILABLE')));
  await ask('subscribe', { subscriptions: [depth('A')] });
  expect(opened.map(({ to }) => to.ended.aborted)).toEqual([true]);
});
