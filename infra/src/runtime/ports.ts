import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** The local installation listens here alone, so that no other machine can reach it. */
export const LOOPBACK = '127.0.0.1';
export const PORT_MAX = 65_535;

/**
 * A TCP port that nobody listens on now. Another process may take it before it is used: be ready to ask again. The port lies
 * below those of outgoing connections: one of these could hold it when a restarted server wants it back.
 */
export async function freePort(host: string = LOOPBACK): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = randomInt(FREE_PORT_FIRST, EPHEMERAL_PORT_FIRST);
    if ((await portTaken(port, host)) === null) return port;
  }
  return anyPort(host);
}

const FREE_PORT_FIRST = 10_240;
/** Where the ports of outgoing connections begin on Linux (`ip_local_port_range`); other systems begin higher. */
const EPHEMERAL_PORT_FIRST = 32_768;
/** Random ports tried. If all are taken it is no accident, and the system chooses. */
const ATTEMPTS_MAX = 50;

function anyPort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ port: 0, host, exclusive: true }, () => {
      const address = probe.address();
      const port = address !== null && typeof address === 'object' ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

/** Why the port cannot be opened, or null when it can. */
export function portTaken(port: number, host: string = LOOPBACK): Promise<'in use' | 'not permitted' | null> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve('in use');
      else if (error.code === 'EACCES') resolve('not permitted');
      else reject(error);
    });
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(null)));
  });
}
