import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** The client's address of a request: the connection's, or the one that a trusted proxy names (`TRUSTED_PROXIES`). */
export type ClientAddresses = {
  /** Whether what this address says of its clients is believed. */
  isProxy(address: string): boolean;
  /** The last address that is no trusted proxy, as `request.ip` tells it. */
  of(request: IncomingMessage): string;
};

/** `proxies` are addresses and ranges, such as `10.0.0.7` and `10.1.0.0/16`. */
export function clientAddresses(proxies: readonly string[]): ClientAddresses {
  const trusted = new BlockList();
  for (const range of proxies) {
    const [address = '', bits] = range.split('/');
    if (bits === undefined) trusted.addAddress(address, familyOf(address));
    else trusted.addSubnet(address, Number(bits), familyOf(address));
  }
  const isProxy = (address: string) =>
    proxies.length > 0 && isIP(address) !== 0 && trusted.check(address, familyOf(address));

  return {
    isProxy,
    of(request) {
      // Never absent: a socket is asked for its address when it connects, and remembers it.
      const peer = request.socket.remoteAddress ?? '';
      if (!isProxy(peer)) return peer;
      const passedOn = [request.headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
      const told = passedOn.map((address) => address.trim()).filter((address) => address !== '');
      return told.findLast((address) => !isProxy(address)) ?? told[0] ?? peer;
    },
  };
}

const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4');
