import { createServer } from 'node:net';

/** Everything that the local installation opens is for this machine alone. */
export const LOOPBACK = '127.0.0.1';
export const PORT_MAX = 65_535;

/** A TCP port that nobody listens on now. Somebody may take it before it is used: be ready to ask again. */
export function freePort(host: string = LOOPBACK): Promise<number> {
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
