import { CashTransfer, Deposit, Exemptions, mintId, ShareTransfer, views } from '@brokerx/contracts';
import type { Http, Runtime } from '@brokerx/infra';
import { z } from 'zod';
import { accountCommands } from '../commands/accountCommand.ts';
import type { Commands } from '../commands/commands.ts';
import { COMMAND_REPLY_HEADERS } from '../commands/reply.ts';
import { IdempotencyHeaders } from '../commands/requestKey.ts';
import type { Markets } from '../market/markets.ts';
import { requestDeposit, setExemptions, transferCash, transferShares } from './money.ts';
import { depositView, transferView } from './views.ts';

/** Money and shares into an account, and its exemptions. */
export type AccountRoutes = { commands: Commands; markets: Markets; storeId: string; runtime: Runtime };

const AccountId = z.object({ id: z.uuid().describe('The account.') });
const operator = { auth: ['operator'], replyHeaders: COMMAND_REPLY_HEADERS } as const;
const LEDGER = '/v1/ledger';

export function accountRoutes(app: Http, deps: AccountRoutes): void {
  depositRoute(app, deps);
  cashTransferRoute(app, deps);
  shareTransferRoute(app, deps);
  exemptionsRoute(app, deps);
}

function depositRoute(app: Http, deps: AccountRoutes): void {
  const { runtime } = deps;
  const carryOut = accountCommands(deps);
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
      const { actor, body } = request;
      const { accountId } = actor;
      const depositId = mintId(runtime);
      const fact = await carryOut(request, reply, {
        command: 'Deposit',
        by: 'client',
        accountId,
        body,
        decide: (account) => requestDeposit(account, { depositId, amount: body.amount }),
        facts: ['DepositRequested.v1'],
        location: () => LEDGER,
      });
      return depositView(fact, accountId);
    },
  );
}

function cashTransferRoute(app: Http, deps: AccountRoutes): void {
  const { runtime } = deps;
  const carryOut = accountCommands(deps);
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
      const { body, params } = request;
      const accountId = params.id.toLowerCase();
      const transferId = mintId(runtime);
      const fact = await carryOut(request, reply, {
        command: 'TransferCash',
        by: 'operator',
        accountId,
        body,
        decide: (account) => transferCash(account, { transferId, amount: body.amount }),
        facts: ['CashTransferredIn.v1'],
        location: () => `${LEDGER}?account_id=${accountId}`,
      });
      return transferView(fact, accountId);
    },
  );
}

function shareTransferRoute(app: Http, deps: AccountRoutes): void {
  const { markets, runtime } = deps;
  const carryOut = accountCommands(deps);
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
      const { body, params } = request;
      const accountId = params.id.toLowerCase();
      const transferId = mintId(runtime);
      if (!markets.get(body.symbol)) await markets.find(body.symbol);
      const listed = () => markets.get(body.symbol) !== undefined;
      const fact = await carryOut(request, reply, {
        command: 'TransferShares',
        by: 'operator',
        accountId,
        body,
        decide: (account) => transferShares(account, { transferId, ...body, listed: listed() }),
        facts: ['SharesTransferredIn.v1'],
        location: () => `${LEDGER}?account_id=${accountId}`,
      });
      return transferView(fact, accountId);
    },
  );
}

function exemptionsRoute(app: Http, deps: AccountRoutes): void {
  const carryOut = accountCommands(deps);
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
      const { body, params } = request;
      const accountId = params.id.toLowerCase();
      const { data } = await carryOut(request, reply, {
        command: 'SetAccountExemptions',
        by: 'operator',
        accountId,
        body,
        decide: () => setExemptions(body),
        facts: ['AccountExemptionsChanged.v1'],
        location: () => `/v1/wallet?account_id=${accountId}`,
      });
      return { account_id: accountId, bands_off: data.bandsOff, quotas_off: data.quotasOff };
    },
  );
}
