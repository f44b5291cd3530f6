import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Finds the client's address of a request: the connection's, or the one that a trusted proxy names (`TRUSTED_PROXIES`). */
export type ClientAddresses = {
  /** Whether this is the address of a trusted proxy, whose headers are believed. */
  isProxy(address: string): boolean;
  /** The last address that is no trusted proxy; the same as `request.ip`. */
  of(request: IncomingMessage): string;
};

/** `proxies` are addresses and ranges, such as `10.0.0.7` and `10.1.0.0/16`. */
export function clientAddresses(proxies: readonly string[]): ClientAddresses {
  const trustedProxies = new BlockList();
  for (const range of proxies) {
    const [address = '', bits] = range.split('/');
    if (bits === undefined) trustedProxies.addAddress(address, familyOf(address));
    else trustedProxies.addSubnet(address, Number(bits), familyOf(address));
  }
  const isProxy = (address: string) =>
    proxies.length > 0 && isIP(address) !== 0 && trustedProxies.check(address, familyOf(address));

  return {
    isProxy,
    of(request) {
      // Never absent: the server reads a socket's address when it connects, and the socket keeps it.
      const peer = request.socket.remoteAddress ?? '';
      if (!isProxy(peer)) return peer;
      const forwarded = [request.headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
      const addresses = forwarded.map((address) => address.trim()).filter((address) => address !== '');
      return addresses.findLast((address) => !isProxy(address)) ?? addresses[0] ?? peer;
    },
  };
}

const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4');
