import type { Runtime } from '@brokerx/infra';
import { z } from 'zod';
import type { Accounts } from '../account/accounts.ts';
import type { Admission } from '../commands/admission.ts';
import type { Commands } from '../commands/commands.ts';
import { COMMAND_REPLY_HEADERS } from '../commands/reply.ts';
import type { Markets } from '../market/markets.ts';
import type { ShownDepth } from '../market/shownDepth.ts';

/** What the routes of orders share: their access rule, their parameter and their dependencies. */
export const trader = { auth: ['trader'], replyHeaders: COMMAND_REPLY_HEADERS } as const;

export const OrderId = z.object({ id: z.uuid().describe('The order, as POST /v1/orders answered it.') });

export type OrderRoutes = {
  commands: Commands;
  markets: Markets;
  admission: Admission;
  accounts: Accounts;
  shownDepth: ShownDepth;
  storeId: string;
  runtime: Runtime;
};
