import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BookFact, type EngineInput, MATCHING_RULES_VERSION } from '@brokerx/contracts';
import { expect, test } from 'vitest';
import { apply, newEngine } from '../rules/engine.ts';

/**
 * A real morning of a real exchange as the oracle: each aggressive order, sent as an immediate-or-cancel limit, must
 * fill exactly the resting order that the exchange filled. The file is optional test data, named by
 * BROKERX_FLOW_FILE or found beside the repository.
 */
const flowFile =
  process.env.BROKERX_FLOW_FILE ?? join(import.meta.dirname, '../../../shared/data/aapl-2012-06-21.flow.csv');
const found = existsSync(flowFile);

test.skipIf(!found)('each aggressive order of a recorded morning fills the order it really filled', () => {
  const engine = newEngine('AAPL');
  const resting = new Map<string, number>();
  let revision = 0;
  let aggressive = 0;
  let exact = 0;
  const send = (fact: Pick<EngineInput, 'type' | 'data'>): BookFact[] => {
    revision += 1;
    return apply(engine, { event: { ...ENVELOPE, ...fact } as EngineInput, revision });
  };
  const place = (orderId: string, row: Row, timeInForce: 'gtc' | 'ioc') => {
    const { side, quantity, limitTicks } = row;
    const common = {
      accountId: 'account',
      clientOrderId: null,
      symbol: 'AAPL',
      type: 'limit',
      timeInForce,
    } as const;
    const terms = {
      tickCents: 1,
      referenceTicks: 58_000,
      bandExempt: true,
      feePpm: 0,
      holdCents: 0,
      holdShares: 0,
    };
    return send({
      type: 'OrderPlaced.v1',
      data: { orderId, side, quantity, limitTicks, ...common, ...terms },
    });
  };
  send({
    type: 'SymbolListed.v1',
    data: {
      symbol: 'AAPL',
      name: 'Apple',
      rules: {
        tickCents: 1,
        listingTicks: 58_000,
        collarPpm: 900_000,
        feePpm: 0,
        orderSharesMax: 1_000_000,
        dailyClose: '20:00',
      },
      matchingRules: MATCHING_RULES_VERSION,
    },
  });

  for (const line of readFileSync(flowFile, 'utf8').trimEnd().split('\n')) {
    const row = parse(line);
    const { action, order, quantity } = row;
    if (action === 'A') {
      place(order, row, 'gtc');
      resting.set(order, quantity);
    } else if (action === 'C') {
      send({
        type: 'OrderCancelRequested.v1',
        data: { orderId: order, accountId: 'account', symbol: 'AAPL' },
      });
    } else if (action === 'R') {
      const total = (resting.get(order) ?? 0) - quantity;
      resting.set(order, total);
      const data = { orderId: order, accountId: 'account', symbol: 'AAPL', amendment: 1, quantity: total };
      send({ type: 'OrderAmendRequested.v1', data });
    } else {
      aggressive += 1;
      const trades = place(`X${aggressive}`, row, 'ioc').filter(({ type }) => type === 'TradeExecuted.v1');
      const [trade] = trades;
      const only = trades.length === 1 && trade?.type === 'TradeExecuted.v1' ? trade.data : undefined;
      if (only?.maker.orderId === order && only.quantity === quantity && only.priceTicks === row.limitTicks)
        exact += 1;
    }
  }
  expect({ exact, aggressive }).toEqual({ exact: 1_996, aggressive: 1_996 });
});

test.runIf(!found)(`the recorded morning is not there (${flowFile}): its test is skipped`, () => {
  expect(existsSync(flowFile)).toBe(false);
});

const ENVELOPE = {
  id: 'input',
  time: '2012-06-21T13:30:00.000Z',
  actor: 'system:replay',
  correlationId: 'day',
  causationId: 'day',
  traceparent: 'none',
};

type Row = { action: string; order: string; quantity: number; limitTicks: number; side: 'buy' | 'sell' };

function parse(line: string): Row {
  const [, action = '', order = '', shares, price, side] = line.split(',');
  return {
    action,
    order,
    quantity: Number(shares),
    limitTicks: Number(price) / 100,
    side: side === '1' ? 'buy' : 'sell',
  };
}
