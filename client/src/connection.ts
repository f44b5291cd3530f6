import type { Method, RequestId, StreamMessage, StreamReply } from '@brokerx/contracts';
import { heardElsewhere } from './mayFail.ts';

/**
 * One WebSocket to query-api, from its opening to its loss. It pairs requests with their replies and passes all other
 * messages on. It sends a ping when the server is silent, and gives the connection up when that is not answered.
 */
export type Connection = {
  /**
   * Sends a request. Rejects when the connection is lost before the reply, or the reply is late. `onReply` is called
   * before any later message is passed on.
   */
  request(method: Method, params: object, onReply?: (reply: StreamReply) => void): Promise<StreamReply>;
  /** Closes the connection. */
  drop(): void;
};
export type ServerMessage = Exclude<StreamMessage, StreamReply>;

/** No reply came. Whether the request was carried out is unknown. */
class ConnectionLost extends Error {
  override name = 'ConnectionLost';
}

/** After this silence a ping is sent. The server's own pings come more often, but a browser does not show them. */
const SILENT_MS = 20_000;
/** After this silence the connection counts as lost. */
const DEAD_MS = 30_000;
const CHECK_MS = 5_000;
/** Longer than any command takes that gets a reply. */
const REPLY_MS = 12_000;
const OPEN_MS = 10_000;

export function openConnection(options: {
  url: string;
  onMessage: (message: ServerMessage) => void;
  /** Called once, when the connection has ended, on whichever side. */
  onLost: (reason: string) => void;
}): Promise<Connection> {
  const { onMessage, onLost } = options;
  const socket = new WebSocket(options.url);
  const waiting = new Map<
    RequestId,
    { resolve: (reply: StreamReply) => void; reject: (why: Error) => void }
  >();
  let lastId = 0;
  let lastMessageAtMs = performance.now();
  let over = false;
  let checking: NodeJS.Timeout | undefined;

  const end = (reason: string) => {
    if (over) return;
    over = true;
    clearInterval(checking);
    socket.close();
    for (const { reject } of waiting.values()) reject(new ConnectionLost(reason));
    waiting.clear();
    onLost(reason);
  };
  const request: Connection['request'] = (method, params, onReply) => {
    if (over) return Promise.reject(new ConnectionLost('the connection is over'));
    lastId += 1;
    const id = lastId;
    return new Promise<StreamReply>((resolve, reject) => {
      const timer = setTimeout(
        () => finish(() => reject(new ConnectionLost(`no reply to ${method}`))),
        REPLY_MS,
      );
      const finish = (act: () => void) => {
        clearTimeout(timer);
        waiting.delete(id);
        act();
      };
      waiting.set(id, {
        resolve: (reply) =>
          finish(() => {
            onReply?.(reply);
            resolve(reply);
          }),
        reject: (why) => finish(() => reject(why)),
      });
      socket.send(JSON.stringify({ id, method, params }));
    });
  };
  const check = () => {
    const silentMs = performance.now() - lastMessageAtMs;
    if (silentMs > DEAD_MS) end('it is silent');
    else if (silentMs > SILENT_MS) heardElsewhere(request('ping', {}));
  };

  socket.addEventListener('message', ({ data }) => {
    if (over) return;
    lastMessageAtMs = performance.now();
    const message = JSON.parse(String(data)) as StreamMessage;
    if (message.type !== 'reply') onMessage(message);
    else if (message.id !== null) waiting.get(message.id)?.resolve(message);
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end('it does not open'), OPEN_MS);
    const fail = (reason: string) => {
      clearTimeout(timer);
      end(reason);
      reject(new ConnectionLost(reason));
    };
    socket.addEventListener('close', ({ code, reason }) => fail(`closed ${code} ${reason}`.trim()));
    socket.addEventListener('error', () => fail('it failed'));
    socket.addEventListener('open', () => {
      clearTimeout(timer);
      if (over) return;
      checking = setInterval(check, CHECK_MS);
      resolve({ request, drop: () => end('it was dropped') });
    });
  });
}
