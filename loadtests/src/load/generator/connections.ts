import { type Done, type HttpConnection, httpConnection } from './httpConnection.ts';

/**
 * Connections to one server, as many as there are requests in flight, up to a bound. Beyond it requests wait here, in order;
 * they count as late from the moment at which they were due. Beyond the bound of those that wait, a request is not sent at all.
 */
export type Connections = {
  host: string;
  /** False: nothing was sent, because too many wait already. */
  send(request: string, done: Done): boolean;
  inFlight(): number;
  waiting(): number;
  /** Ends what waits, with status `NEVER_SENT`, and closes all connections. */
  close(): void;
};

export const NEVER_SENT = -1;

export const REPLY_TIMEOUT_MS = 30_000;
/** Servers close connections that are idle for a little over a minute: this one is given up before. */
const IDLE_MAX_MS = 50_000;
const SWEEP_MS = 1_000;
const WAITING_MAX = 20_000;

export function connections(url: string, connectionsMax: number): Connections {
  const { hostname, port, host } = new URL(url);
  const all = new Set<HttpConnection>();
  // The one that was free last is used first, so that no more are kept busy than are needed.
  const free: HttpConnection[] = [];
  const queue: { request: string; done: Done }[] = [];
  let head = 0;

  const freeOne = (): HttpConnection | undefined => {
    for (let one = free.pop(); one; one = free.pop()) {
      if (one.isOpen() && performance.now() - one.idleSinceMs() < IDLE_MAX_MS) return one;
      one.destroy();
      all.delete(one);
    }
    if (all.size >= connectionsMax) return undefined;
    const opened = httpConnection(hostname, Number(port));
    all.add(opened);
    return opened;
  };
  const use = (connection: HttpConnection, request: string, done: Done) => {
    connection.send(request, (status, replyHead, text) => {
      if (connection.isOpen()) free.push(connection);
      else all.delete(connection);
      done(status, replyHead, text);
      next();
    });
  };
  const next = () => {
    while (head < queue.length) {
      const connection = freeOne();
      if (!connection) return;
      const { request, done } = queue[head++] as { request: string; done: Done };
      if (head === queue.length || head > WAITING_MAX) {
        queue.splice(0, head);
        head = 0;
      }
      use(connection, request, done);
    }
  };
  const sweeper = setInterval(() => {
    const now = performance.now();
    for (const one of all) {
      const sentMs = one.sentMs();
      if (sentMs !== undefined && now - sentMs > REPLY_TIMEOUT_MS) one.destroy('no reply in time');
    }
  }, SWEEP_MS);
  sweeper.unref();
  const waiting = () => queue.length - head;
  return {
    host,
    send(request, done) {
      const connection = waiting() === 0 ? freeOne() : undefined;
      if (connection) {
        use(connection, request, done);
        return true;
      }
      if (waiting() >= WAITING_MAX) return false;
      queue.push({ request, done });
      return true;
    },
    inFlight: () => all.size - free.length,
    waiting,
    close() {
      clearInterval(sweeper);
      for (const { done } of queue.splice(head)) done(NEVER_SENT, '', '');
      queue.length = 0;
      for (const one of all) one.destroy();
    },
  };
}
