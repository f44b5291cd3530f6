import { expect, test } from 'vitest';
import { feedTopic } from './feedTopic.ts';
import { CATEGORIES } from './streams.ts';
import { TOPIC_CONTENTS, TOPICS, type Topic, topicsOf } from './topics.ts';

const ACCOUNT = 'account-0193b3f0-0000-7000-8000-000000000001';

test.for([
  [
    'an order, which its engine takes',
    ACCOUNT,
    'AAPL',
    ['brokerx.orders AAPL', `brokerx.accounts ${ACCOUNT.slice(8)}`],
  ],
  ['a deposit', ACCOUNT, null, [`brokerx.accounts ${ACCOUNT.slice(8)}`]],
  ['a halt', 'market-AAPL', 'AAPL', ['brokerx.orders AAPL', 'brokerx.market AAPL']],
  ['a trade', 'book-BRK-B', null, ['brokerx.market BRK-B']],
  ['a registration', 'client-0193b3f0-0000-7000-8000-000000000002', null, []],
  ['a reservation', 'email-abc', null, []],
] as const)('%s goes where its readers are', ([, stream, symbol, places]) => {
  expect(topicsOf({ stream, symbol }).map(({ topic, key }) => `${topic} ${key}`)).toEqual(places);
});

test('what a topic is said to carry is what goes there', () => {
  for (const category of CATEGORIES) {
    for (const symbol of [null, 'AAPL']) {
      const there = topicsOf({ stream: `${category}-x`, symbol }).map(({ topic }) => topic);
      const said = (Object.keys(TOPICS) as Topic[]).filter((topic) => {
        const { categories, inputs } = TOPIC_CONTENTS[topic];
        return (categories as readonly string[]).includes(category) && (!inputs || symbol !== null);
      });
      expect(there.toSorted()).toEqual(said.toSorted());
    }
  }
});

test('the first generation of a topic has the plain name', () => {
  expect((Object.keys(TOPICS) as Topic[]).map((topic) => feedTopic(topic).name)).toEqual(Object.keys(TOPICS));
});
