/**
 * Places that clients share, such as connections, waiters or streams: bounded for the process, and beside it for each
 * client address, so that no single one can take what all share. The loopback address counts like any other.
 */
export type AddressQuotas = {
  /**
   * A place for a client of this address (as `request.ip` tells it), or which bound refuses it. Whoever is given a place
   * gives it back by `leave`, however the client goes. An address that many stand behind (a proxy's) is bounded by the
   * process alone: `isShared`.
   */
  take(address: string, options?: { isShared?: boolean }): Place | 'ADDRESS_FULL' | 'FULL';
  /** Places taken now, by everybody. */
  count(): number;
  /** Places taken now from this address. */
  countOf(address: string): number;
};

/** A taken place. Leaving it a second time changes nothing. */
export type Place = { leave(): void };

export function addressQuotas({ max, perAddressMax }: { max: number; perAddressMax: number }): AddressQuotas {
  const taken = new Map<string, number>();
  let count = 0;

  const leave = (network: string) => {
    count -= 1;
    const rest = (taken.get(network) ?? 1) - 1;
    if (rest === 0) taken.delete(network);
    else taken.set(network, rest);
  };
  return {
    take(address, { isShared = false } = {}) {
      const network = networkOf(address);
      const own = taken.get(network) ?? 0;
      if (own >= perAddressMax && !isShared) return 'ADDRESS_FULL';
      if (count >= max) return 'FULL';
      taken.set(network, own + 1);
      count += 1;
      let isLeft = false;
      return {
        leave() {
          if (isLeft) return;
          isLeft = true;
          leave(network);
        },
      };
    },
    count: () => count,
    countOf: (address) => taken.get(networkOf(address)) ?? 0,
  };
}

const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
/** Groups of 16 bits in an IPv6 address, and those of them that make a /64. */
const GROUPS = 8;
const NETWORK_GROUPS = 4;

/** What one subscriber has: an IPv4 address, or an IPv6 /64. */
export function networkOf(ip: string): string {
  if (!ip.includes(':')) return ip;
  const mapped = MAPPED_IPV4.exec(ip);
  if (mapped?.[1]) return mapped[1];
  const [head = '', tail] = ip.split('%', 1)[0]?.split('::') ?? [];
  const front = groupsOf(head);
  const back = groupsOf(tail ?? '');
  const zeros = tail === undefined ? 0 : GROUPS - front.length - back.length;
  return [...front, ...Array<string>(Math.max(0, zeros)).fill('0'), ...back]
    .slice(0, NETWORK_GROUPS)
    .join(':');
}

/** In one spelling: a proxy may pass on capitals and leading zeros. */
const groupsOf = (text: string): string[] =>
  text === '' ? [] : text.split(':').map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''));
