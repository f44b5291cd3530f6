import { addressShares, type Place } from '@brokerx/infra';

/** Who takes a place: where the client is, and which account it has signed in to; null: none. */
export type Client = { address: string; accountId: string | null };

/**
 * Places of one kind that clients share (waiters, streams, connections): bounded for the process, and beside it for each
 * client address and each account, so that neither one address nor a few accounts take what all share.
 */
export type Shares = {
  /** A place, to be given back however the client goes; or which bound refuses it. */
  take(client: Client): Place | FullShare;
  /** Places taken now. */
  count(): number;
};
export type FullShare = 'FULL' | 'ADDRESS_FULL' | 'ACCOUNT_FULL';
export type ShareBounds = { max: number; perAddressMax: number; perAccountMax: number };

export function shares({ max, perAddressMax, perAccountMax }: ShareBounds): Shares {
  const byAddress = addressShares({ max, perAddressMax });
  const byAccount = accountShares(perAccountMax);
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

/** What each account has of one kind, for those who sign in later than they come. */
export type AccountShares = { take(accountId: string): Place | null };

export function accountShares(max: number): AccountShares {
  const taken = new Map<string, number>();
  return {
    take(accountId) {
      const own = taken.get(accountId) ?? 0;
      if (own >= max) return null;
      taken.set(accountId, own + 1);
      let isLeft = false;
      return {
        leave() {
          if (isLeft) return;
          isLeft = true;
          const rest = (taken.get(accountId) ?? 1) - 1;
          if (rest === 0) taken.delete(accountId);
          else taken.set(accountId, rest);
        },
      };
    },
  };
}

/** What is said to whom a bound refuses; `what` such as `streams`. */
export const whyFull = (what: string, full: FullShare, bounds: ShareBounds): string =>
  full === 'FULL'
    ? `${bounds.max} ${what} of all clients together are as many as there may be`
    : full === 'ADDRESS_FULL'
      ? `${bounds.perAddressMax} ${what} of one address are as many as it may have`
      : `${bounds.perAccountMax} ${what} of one account are as many as it may have`;
