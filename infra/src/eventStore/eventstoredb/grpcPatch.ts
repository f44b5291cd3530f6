import { createRequire } from 'node:module';
import { isIP } from 'node:net';

/**
 * Makes servers at IP addresses reachable over TLS. grpc-js, the transport of EventStoreDB's client, sends the host of the
 * address as the server's name even if it is an IP address, which TLS forbids (RFC 6066, section 3) and Node refuses. With this
 * patch no name is sent in that case; the certificate is checked against the address as before.
 */
export function patchGrpc(): void {
  if (patched) return;
  patched = true;
  // The client's own copy of grpc-js, because only that one is used.
  const clientsRequire = createRequire(import.meta.resolve('@eventstore/db-client'));
  const { credentials } = clientsRequire('@grpc/grpc-js') as GrpcCredentials;
  const secure = Object.getPrototypeOf(credentials.createSsl()) as SecureCredentials;
  const connectorOf = secure._createSecureConnector;
  if (typeof connectorOf !== 'function') {
    throw new Error(
      'grpc-js makes its connections in another way now: look at infra/src/eventStore/eventstoredb/grpcPatch.ts',
    );
  }
  secure._createSecureConnector = function (...given) {
    const connector = connectorOf.apply(this, given);
    const { connectionOptions } = connector;
    if (connectionOptions.servername && isIP(withoutBrackets(connectionOptions.servername)) !== 0) {
      connectionOptions.host = withoutBrackets(connectionOptions.servername);
      delete connectionOptions.servername;
    }
    return connector;
  };
}

let patched = false;

/** An IPv6 address as it stands in a URL, `[::1]`, as the address that a certificate names. */
const withoutBrackets = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');

type GrpcCredentials = { credentials: { createSsl(): object } };
type SecureCredentials = {
  _createSecureConnector(this: unknown, ...given: unknown[]): Connector;
};
type Connector = { connectionOptions: { host?: string; servername?: string } };
