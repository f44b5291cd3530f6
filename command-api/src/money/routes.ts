import { CashTransfer, Deposit, Exemptions, mintId, ShareTransfer, views } from '@brokerx/contracts';
import type { Http, Runtime } from '@brokerx/infra';
import { z } from 'zod';
import type { Commands } from '../commands/commands.ts';
import { IdempotencyHeaders, requestKey } from '../commands/idempotency.ts';
import { accepted, COMMAND_REPLY_HEADERS } from '../commands/reply.ts';
import type { Markets } from '../market/markets.ts';
import { depositView, expectFact, transferView } from '../orders/views.ts';
import { requestDeposit, setExemptions, transferCash, transferShares } from './money.ts';

/** Money and shares into an account, and its exemptions. */
export type AccountRoutes = { commands: Commands; markets: Markets; storeId: string; runtime: Runtime };

const AccountId = z.object({ id: z.uuid().describe('The account.') });
const operator = { auth: ['operator'], replyHeaders: COMMAND_REPLY_HEADERS } as const;
const LEDGER = '/v1/ledger';

export function accountRoutes(app: Http, deps: AccountRoutes): void {
  const { commands, markets, storeId, runtime } = deps;

  app.post(
    '/v1/deposits',
    {
      config: { auth: ['trader'], replyHeaders: COMMAND_REPLY_HEADERS },
      schema: {
        tags: ['Money'],
        summary: 'Deposit money',
        description:
          'Asks the (simulated) payment service for the money; it is in the wallet when the deposit is settled, ' +
          'usually within a second. A wallet takes 10,000.00 by deposits.',
        headers: IdempotencyHeaders,
        body: Deposit.meta({ examples: [{ amount: '2500.00' }] }),
        response: { 202: views.DepositView },
      },
    },
    async (request, reply) => {
      const { actor, body, traceparent } = request;
      const { accountId } = actor;
      const command = 'Deposit';
      const key = requestKey(request.headers, { command, subject: accountId, body });
      const depositId = mintId(runtime);
      const answer = await commands.onAccount(
        accountId,
        { command, actor: `client:${actor.clientId}`, key, traceparent },
        (account) => requestDeposit(account, { depositId, amount: body.amount }),
      );
      const { fact } = accepted(reply, answer, { storeId, location: () => LEDGER });
      return depositView(expectFact(fact, 'DepositRequested.v1'), accountId);
    },
  );

  app.post(
    '/v1/accounts/:id/cash-transfers',
    {
      config: operator,
      schema: {
        tags: ['Operations'],
        summary: 'Transfer cash into an account',
        description: 'Exempt from the wallet’s limit.',
        headers: IdempotencyHeaders,
        params: AccountId,
        body: CashTransfer.meta({ examples: [{ amount: '1000000.00' }] }),
        response: { 202: views.TransferView },
      },
    },
    async (request, reply) => {
      const { actor, body, traceparent } = request;
      const accountId = request.params.id.toLowerCase();
      const command = 'TransferCash';
      const key = requestKey(request.headers, { command, subject: accountId, body });
      const transferId = mintId(runtime);
      const answer = await commands.onAccount(
        accountId,
        { command, actor: `operator:${actor.clientId}`, key, traceparent },
        (account) => transferCash(account, { transferId, amount: body.amount }),
      );
      const location = () => `${LEDGER}?account_id=${accountId}`;
      const { fact } = accepted(reply, answer, { storeId, location });
      return transferView(expectFact(fact, 'CashTransferredIn.v1'), accountId);
    },
  );

  app.post(
    '/v1/accounts/:id/share-transfers',
    {
      config: operator,
      schema: {
        tags: ['Operations'],
        summary: 'Transfer shares into an account',
        headers: IdempotencyHeaders,
        params: AccountId,
        body: ShareTransfer.meta({ examples: [{ symbol: 'XEQT', qty: '1000' }] }),
        response: { 202: views.TransferView },
      },
    },
    async (request, reply) => {
      const { actor, body, traceparent } = request;
      const accountId = request.params.id.toLowerCase();
      const command = 'TransferShares';
      const key = requestKey(request.headers, { command, subject: accountId, body });
      const transferId = mintId(runtime);
      if (!markets.get(body.symbol)) await markets.find(body.symbol);
      const listed = () => markets.get(body.symbol) !== undefined;
      const answer = await commands.onAccount(
        accountId,
        { command, actor: `operator:${actor.clientId}`, key, traceparent },
        (account) => transferShares(account, { transferId, ...body, listed: listed() }),
      );
      const location = () => `${LEDGER}?account_id=${accountId}`;
      const { fact } = accepted(reply, answer, { storeId, location });
      return transferView(expectFact(fact, 'SharesTransferredIn.v1'), accountId);
    },
  );

  app.put(
    '/v1/accounts/:id/exemptions',
    {
      config: operator,
      schema: {
        tags: ['Operations'],
        summary: 'Switch price bands and quotas off or on for an account',
        headers: IdempotencyHeaders,
        params: AccountId,
        body: Exemptions.meta({ examples: [{ bands_off: true, quotas_off: true }] }),
        response: { 202: views.AccountExemptionsView },
      },
    },
    async (request, reply) => {
      const { actor, body, traceparent } = request;
      const accountId = request.params.id.toLowerCase();
      const command = 'SetAccountExemptions';
      const key = requestKey(request.headers, { command, subject: accountId, body });
      const answer = await commands.onAccount(
        accountId,
        { command, actor: `operator:${actor.clientId}`, key, traceparent },
        () => setExemptions(body),
      );
      const location = () => `/v1/wallet?account_id=${accountId}`;
      const { fact } = accepted(reply, answer, { storeId, location });
      const { bandsOff, quotasOff } = expectFact(fact, 'AccountExemptionsChanged.v1').data;
      return { account_id: accountId, bands_off: bandsOff, quotas_off: quotasOff };
    },
  );
}
