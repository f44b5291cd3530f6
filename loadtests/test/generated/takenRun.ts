import { brokerApi, idSource, type Outcome } from '@brokerx/client';
import { mintId } from '@brokerx/contracts';
import { expect } from 'vitest';
import { auditInstallation } from '../../src/audit.ts';
import { operatorOf } from '../../src/operator.ts';
import type { Installation } from '../../src/own/installation.ts';
import { type Person, registerMany } from '../../src/people.ts';
import type { Document, Schema } from './nastyInput.ts';
import { type Amounts, bodiesLike } from './takenInput.ts';

const SYMBOL = 'TAKEN';
const AT_ONCE = 8;

type Sent = { body: object; outcome: Outcome<{ id?: string; symbol?: string }> };

/**
 * Expects that whatever the schemas of the commands accept can be decided, stored, folded by every projection and shown by
 * every query. Bodies are generated from the OpenAPI document, and afterwards accepted and refused ones are read and audited.
 */
export async function whatIsTakenIsShown(installation: Installation, amounts: Amounts): Promise<void> {
  const { commandUrl, queryUrl, operatorEmail, operatorPassword } = installation.status;
  const api = brokerApi({ commandUrl, queryUrl });
  const operator = await operatorOf(api, operatorEmail, operatorPassword);
  const [trader, saver] = (await registerMany(api, 'taken', 2)) as [Person, Person];
  await operator.list({ symbol: SYMBOL, name: 'Taken', listingCents: 10_000 });
  await operator.giveCash(trader.accountId, 9_000_000_000_000);
  await operator.giveShares(trader.accountId, SYMBOL, 1_000_000_000);
  await operator.exemptAccount(trader.accountId);
  const { paths } = (await (await fetch(`${commandUrl}/openapi.json`)).json()) as Document;
  const schemaOf = (method: string, route: string): Schema =>
    paths[route]?.[method.toLowerCase()]?.requestBody?.content?.['application/json']?.schema ?? {};

  /** Sends bodies like the given ones. `change` makes each of them different, where one would rule out the next. */
  const send = async (
    method: 'POST' | 'PUT',
    route: string,
    person: Person,
    {
      bases,
      path = route,
      change,
    }: { bases: readonly object[]; path?: string; change?: (index: number) => object },
  ): Promise<Sent[]> => {
    const bodies = bases.flatMap((base) => bodiesLike(base, schemaOf(method, route), amounts));
    const sent: Sent[] = [];
    let next = 0;
    const worker = async () => {
      for (let index = next++; index < bodies.length; index = next++) {
        const body = { ...bodies[index], ...change?.(index) };
        const key = mintId(idSource);
        const token = await person.token();
        const outcome = await api.command<{ id?: string; symbol?: string }>({
          method,
          path,
          body,
          token,
          key,
        });
        sent.push({ body, outcome });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return sent;
  };

  const order = { symbol: SYMBOL, side: 'buy', type: 'limit', qty: '10', limit_price: '99.00' };
  const soon = new Date(Date.now() + 86_400_000).toISOString();
  const bases = [
    order,
    { ...order, side: 'sell', time_in_force: 'gtd', expires_at: soon },
    { symbol: SYMBOL, side: 'buy', type: 'market', notional: '500.00' },
    {
      symbol: SYMBOL,
      side: 'sell',
      type: 'trailing_stop',
      qty: '5',
      trail_percent: '1.5',
      time_in_force: 'gtc',
    },
    {
      ...order,
      order_class: 'bracket',
      take_profit: { limit_price: '105.00' },
      stop_loss: { stop_price: '95.00' },
    },
  ];
  const listing = { name: 'Listed', listing_price: '10.00' };
  const reason = { reason: 'a reason' };
  const results = {
    orders: await send('POST', '/v1/orders', trader, { bases }),
    symbols: await send('POST', '/v1/symbols', operator.person, {
      bases: [listing],
      change: (index) => ({ symbol: `T${index.toString(36).toUpperCase()}` }),
    }),
    halts: await send('POST', '/v1/symbols/{symbol}/halt', operator.person, {
      bases: [reason],
      path: `/v1/symbols/${SYMBOL}/halt`,
    }),
    deposits: await send('POST', '/v1/deposits', saver, { bases: [{ amount: '1.00' }] }),
    kills: await send('PUT', '/v1/kill-switch', trader, { bases: [{ active: true, ...reason }] }),
  };
  // No outcome is unknown, and each kind of command was accepted at least once.
  for (const [what, sent] of Object.entries(results)) {
    expect(
      sent.filter(({ outcome }) => outcome.kind === 'unknown'),
      what,
    ).toEqual([]);
    expect(
      sent.some(({ outcome }) => outcome.kind === 'ok'),
      what,
    ).toBe(true);
  }

  const token = await trader.token();
  const statusOf = async (path: string) =>
    (await api.raw('query', { path, headers: { authorization: `Bearer ${token}` } })).status;
  for (const { body, outcome } of results.orders) {
    if (outcome.kind !== 'ok' || outcome.body.id === undefined) continue;
    const { id } = outcome.body;
    for (const path of [`/v1/orders/${id}`, `/v1/orders/${id}/events`]) {
      await expect.poll(() => statusOf(path), { message: JSON.stringify(body) }).toBe(200);
    }
  }
  for (const { body, outcome } of results.symbols) {
    if (outcome.kind !== 'ok') continue;
    const path = `/v1/symbols/${outcome.body.symbol}`;
    await expect.poll(() => statusOf(path), { message: JSON.stringify(body) }).toBe(200);
  }
  // The audit compares every order, refused ones included, and every wallet, ledger, holding, execution, candle and symbol.
  const audit = await auditInstallation({ api, operator: operator.person });
  expect(audit.findings.list, `seed ${amounts.seed}`).toEqual([]);
  expect(audit.history.counts.refusals).toBeGreaterThan(0);
  await api.close();
}
