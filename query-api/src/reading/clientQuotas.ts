import { addressQuotas, type Place } from '@brokerx/infra';

/** A client: its IP address, and the account that it is signed in to; null: none. */
export type Client = { address: string; accountId: string | null };

/**
 * Places of one kind that clients share (waiters, streams, connections). The process has a bound, and so have each client
 * address and each account, so that one address or a few accounts cannot take all.
 */
export type ClientQuotas = {
  /** Takes a place, which the caller gives back however the client goes; or names the bound that is reached. */
  take(client: Client): Place | FullQuota;
  /** Places in use now. */
  count(): number;
};
export type FullQuota = 'FULL' | 'ADDRESS_FULL' | 'ACCOUNT_FULL';
export type QuotaBounds = { max: number; perAddressMax: number; perAccountMax: number };

export function clientQuotas({ max, perAddressMax, perAccountMax }: QuotaBounds): ClientQuotas {
  const byAddress = addressQuotas({ max, perAddressMax });
  const byAccount = accountQuotas(perAccountMax);
  return {
    take({ address, accountId }) {
      const place = byAddress.take(address);
      if (typeof place === 'string' || accountId === null) return place;
      const own = byAccount.take(accountId);
      if (own) return { leave: () => [place, own].forEach((each) => each.leave()) };
      place.leave();
      return 'ACCOUNT_FULL';
    },
    count: byAddress.count,
  };
}

/** Places counted by account alone, for connections whose client signs in after it has connected. */
export type AccountQuotas = { take(accountId: string): Place | null };

export function accountQuotas(max: number): AccountQuotas {
  const counts = new Map<string, number>();
  return {
    take(accountId) {
      const own = counts.get(accountId) ?? 0;
      if (own >= max) return null;
      counts.set(accountId, own + 1);
      let hasLeft = false;
      return {
        leave() {
          if (hasLeft) return;
          hasLeft = true;
          const rest = (counts.get(accountId) ?? 1) - 1;
          if (rest === 0) counts.delete(accountId);
          else counts.set(accountId, rest);
        },
      };
    },
  };
}

/** The detail of a refusal by a bound; `what` names the places, such as `streams`. */
export const fullDetail = (what: string, full: FullQuota, bounds: QuotaBounds): string =>
  full === 'FULL'
    ? `${bounds.max} ${what} of all clients together are as many as there may be`
    : full === 'ADDRESS_FULL'
      ? `${bounds.perAddressMax} ${what} of one address are as many as it may have`
      : `${bounds.perAccountMax} ${what} of one account are as many as it may have`;
