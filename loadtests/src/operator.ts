import { type Api, succeeded } from '@brokerx/client';
import { decimalFromCents, type TradingPhase } from '@brokerx/contracts';
import { type Person, signIn } from './people.ts';

/** What an operator does to set up markets and to fund accounts. Each command has a key of its own. */
export type Operator = {
  person: Person;
  /** Lists a symbol; `already` if it was listed before. */
  list(symbol: NewSymbol): Promise<'listed' | 'already'>;
  exemptSymbol(symbol: string): Promise<void>;
  exemptAccount(accountId: string): Promise<void>;
  giveCash(accountId: string, cents: number): Promise<string | undefined>;
  giveShares(accountId: string, symbol: string, shares: number): Promise<string | undefined>;
  halt(symbol: string, reason: string): Promise<string | undefined>;
  resume(symbol: string): Promise<string | undefined>;
  begin(symbol: string, phase: TradingPhase): Promise<string | undefined>;
};

export type NewSymbol = {
  symbol: string;
  name: string;
  listingCents: number;
  feePpm?: number;
  bandPpm?: number;
};

export async function operatorOf(api: Api, email: string, password: string): Promise<Operator> {
  const person = await signIn(api, email, password);
  const act = async (description: string, method: 'POST' | 'PUT', path: string, body: unknown) =>
    succeeded(description, await api.command({ method, path, body, token: await person.token() })).position;
  return {
    person,
    list: async ({ symbol, name, listingCents, feePpm, bandPpm }) => {
      const outcome = await api.command({
        method: 'POST',
        path: '/v1/symbols',
        token: await person.token(),
        body: {
          symbol,
          name,
          listing_price: decimalFromCents(listingCents),
          ...(feePpm === undefined ? {} : { fee_ppm: feePpm }),
          ...(bandPpm === undefined ? {} : { band_ppm: bandPpm }),
        },
      });
      if (outcome.kind === 'refused' && outcome.code === 'SYMBOL_ALREADY_LISTED') return 'already';
      succeeded(`listing ${symbol}`, outcome);
      return 'listed';
    },
    exemptSymbol: async (symbol) => {
      await act(`exempting ${symbol}`, 'PUT', `/v1/symbols/${symbol}/exemptions`, EXEMPT);
    },
    exemptAccount: async (accountId) => {
      await act('exempting an account', 'PUT', `/v1/accounts/${accountId}/exemptions`, EXEMPT);
    },
    giveCash: (accountId, cents) =>
      act('transferring cash', 'POST', `/v1/accounts/${accountId}/cash-transfers`, {
        amount: decimalFromCents(cents),
      }),
    giveShares: (accountId, symbol, shares) =>
      act('transferring shares', 'POST', `/v1/accounts/${accountId}/share-transfers`, {
        symbol,
        qty: String(shares),
      }),
    halt: (symbol, reason) => act(`halting ${symbol}`, 'POST', `/v1/symbols/${symbol}/halt`, { reason }),
    begin: (symbol, phase) =>
      act(`beginning ${phase} of ${symbol}`, 'POST', `/v1/symbols/${symbol}/phase`, { phase }),
    resume: (symbol) => act(`resuming ${symbol}`, 'POST', `/v1/symbols/${symbol}/resume`, {}),
  };
}

const EXEMPT = { bands_off: true, quotas_off: true };
