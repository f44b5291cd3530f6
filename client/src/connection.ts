import type { Method, RequestId, StreamMessage, StreamReply } from '@brokerx/contracts';
import { heardElsewhere } from './mayFail.ts';

/**
 * One WebSocket to query-api, from its opening to its loss: requests with their replies, and everything else that comes.
 * A connection that is silent is asked whether it is there, and given up when it does not answer.
 */
export type Connection = {
  /**
   * Rejects when the connection is lost before the reply comes, or none comes in time. `answered` hears the reply before
   * anything that comes behind it.
   */
  request(method: Method, params: object, answered?: (reply: StreamReply) => void): Promise<StreamReply>;
  /** Gives it up. */
  drop(): void;
};
export type Told = Exclude<StreamMessage, StreamReply>;

/** The reply did not come: whether the request was carried out is not known. */
class ConnectionLost extends Error {
  override name = 'ConnectionLost';
}

/** Milliseconds: the server's own pings come more often, but are not told of. */
const SILENT_MS = 20_000;
const DEAD_MS = 30_000;
const LOOK_MS = 5_000;
/** Longer than a command takes that is answered at all. */
const REPLY_MS = 12_000;
const OPEN_MS = 10_000;

export function openConnection(options: {
  url: string;
  told: (message: Told) => void;
  /** Once, when it is over, whoever ended it. */
  lost: (reason: string) => void;
}): Promise<Connection> {
  const { told, lost } = options;
  const socket = new WebSocket(options.url);
  const waiting = new Map<
    RequestId,
    { resolve: (reply: StreamReply) => void; reject: (why: Error) => void }
  >();
  let lastId = 0;
  let heardAtMs = performance.now();
  let over = false;
  let looking: NodeJS.Timeout | undefined;

  const end = (reason: string) => {
    if (over) return;
    over = true;
    clearInterval(looking);
    socket.close();
    for (const { reject } of waiting.values()) reject(new ConnectionLost(reason));
    waiting.clear();
    lost(reason);
  };
  const request: Connection['request'] = (method, params, answered) => {
    if (over) return Promise.reject(new ConnectionLost('the connection is over'));
    lastId += 1;
    const id = lastId;
    return new Promise<StreamReply>((resolve, reject) => {
      const timer = setTimeout(
        () => settle(() => reject(new ConnectionLost(`no reply to ${method}`))),
        REPLY_MS,
      );
      const settle = (act: () => void) => {
        clearTimeout(timer);
        waiting.delete(id);
        act();
      };
      waiting.set(id, {
        resolve: (reply) =>
          settle(() => {
            answered?.(reply);
            resolve(reply);
          }),
        reject: (why) => settle(() => reject(why)),
      });
      socket.send(JSON.stringify({ id, method, params }));
    });
  };
  const look = () => {
    const silentMs = performance.now() - heardAtMs;
    if (silentMs > DEAD_MS) end('it is silent');
    else if (silentMs > SILENT_MS) heardElsewhere(request('ping', {}));
  };

  socket.addEventListener('message', ({ data }) => {
    if (over) return;
    heardAtMs = performance.now();
    const message = JSON.parse(String(data)) as StreamMessage;
    if (message.type !== 'reply') told(message);
    else if (message.id !== null) waiting.get(message.id)?.resolve(message);
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end('it does not open'), OPEN_MS);
    const ended = (reason: string) => {
      clearTimeout(timer);
      end(reason);
      reject(new ConnectionLost(reason));
    };
    socket.addEventListener('close', ({ code, reason }) => ended(`closed ${code} ${reason}`.trim()));
    socket.addEventListener('error', () => ended('it failed'));
    socket.addEventListener('open', () => {
      clearTimeout(timer);
      if (over) return;
      looking = setInterval(look, LOOK_MS);
      resolve({ request, drop: () => end('it was dropped') });
    });
  });
}
