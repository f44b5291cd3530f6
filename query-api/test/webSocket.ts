import { WebSocket } from 'undici';

/** A WebSocket client for tests: collects messages, answers by id, and can leave. */
export type Received = { type: string; [field: string]: unknown };

export async function openWebSocket(url: string) {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/ws`);
  const received: Received[] = [];
  let waiting: (() => void)[] = [];
  const wake = () => {
    const woken = waiting;
    waiting = [];
    for (const go of woken) go();
  };
  let closed: { code: number; reason: string } | null = null;
  const ended = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener('close', ({ code, reason }) => {
      closed = { code, reason };
      resolve(closed);
      wake();
    });
  });
  socket.addEventListener('message', ({ data }) => {
    received.push(JSON.parse(String(data)));
    wake();
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error('it was not opened')));
  });
  let lastId = 0;

  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) {
      if (closed) throw new Error(`closed ${closed.code} after ${JSON.stringify(received.slice(-3))}`);
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    }
  };
  const replyTo = async (id: number | string | null): Promise<Received> => {
    const find = () => received.find((message) => message.type === 'reply' && message['id'] === id);
    await until(() => find() !== undefined);
    return find() as Received;
  };
  return {
    received,
    ended,
    until,
    replyTo,
    send: (text: string) => socket.send(text),
    /** Its reply. */
    async ask(method: string, params: object): Promise<Received> {
      lastId += 1;
      socket.send(JSON.stringify({ id: lastId, method, params }));
      return replyTo(lastId);
    },
    /** Messages of a channel, so many of them. */
    async data(channel: string, count: number): Promise<Received[]> {
      const own = () =>
        received.filter((message) => message.type === 'data' && message['channel'] === channel);
      await until(() => own().length >= count);
      return own();
    },
    async close() {
      socket.close();
      await ended;
    },
  };
}
