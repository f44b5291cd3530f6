/**
 * Counts places that clients share, such as connections, waiters or streams. They are bounded for the process and for each
 * client address, so that no single client can take all of them. The loopback address counts like any other.
 */
export type AddressQuotas = {
  /**
   * Takes a place for a client of this address (`request.ip`), or returns the bound that refuses it. The caller must give the
   * place back by `leave`, however the client ends. With `isShared`, for the address of a proxy with many clients behind it,
   * only the bound of the process counts.
   */
  take(address: string, options?: { isShared?: boolean }): Place | 'ADDRESS_FULL' | 'FULL';
  /** Places taken now, from all addresses. */
  count(): number;
  /** Places taken now from this address. */
  countOf(address: string): number;
};

/** A taken place. Leaving it a second time changes nothing. */
export type Place = { leave(): void };

export function addressQuotas({ max, perAddressMax }: { max: number; perAddressMax: number }): AddressQuotas {
  const takenByNetwork = new Map<string, number>();
  let count = 0;

  const leave = (network: string) => {
    count -= 1;
    const remaining = (takenByNetwork.get(network) ?? 1) - 1;
    if (remaining === 0) takenByNetwork.delete(network);
    else takenByNetwork.set(network, remaining);
  };
  return {
    take(address, { isShared = false } = {}) {
      const network = networkOf(address);
      const takenHere = takenByNetwork.get(network) ?? 0;
      if (takenHere >= perAddressMax && !isShared) return 'ADDRESS_FULL';
      if (count >= max) return 'FULL';
      takenByNetwork.set(network, takenHere + 1);
      count += 1;
      let hasLeft = false;
      return {
        leave() {
          if (hasLeft) return;
          hasLeft = true;
          leave(network);
        },
      };
    },
    count: () => count,
    countOf: (address) => takenByNetwork.get(networkOf(address)) ?? 0,
  };
}

const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
/** Groups of 16 bits in an IPv6 address, and those of them that make a /64. */
const GROUPS = 8;
const NETWORK_GROUPS = 4;

/** The network that one subscriber has: an IPv4 address, or an IPv6 /64. */
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

/** The groups of an address in one spelling, because a proxy may pass on capitals and leading zeros. */
const groupsOf = (text: string): string[] =>
  text === '' ? [] : text.split(':').map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''));
