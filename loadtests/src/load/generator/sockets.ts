import type { Tokens } from './tokens.ts';

/**
 * One WebSocket for each user of this process, for orders. A request whose connection is lost before its reply is unknown; while
 * there is no connection nothing is sent.
 */
export type Sockets = {
  /** Resolves when every user is signed in. */
  opened(): Promise<void>;
  /** False: there is no connection, or too many requests wait on it. `status` 0: the connection was lost. */
  place(user: number, key: string, order: string, done: (status: number, text: string) => void): boolean;
  inFlight(): number;
  close(): void;
};

/** Requests of one connection; beyond it the server refuses. */
const UNANSWERED_MAX = 256;
const REOPEN_MS = 500;
/** Tokens are renewed behind our back: the newest is shown to the server this often. */
const SIGN_IN_AGAIN_MS = 60_000;

type Entry = {
  socket: WebSocket | undefined;
  isSignedIn: boolean;
  waiting: Map<number, (status: number, text: string) => void>;
};

export function sockets(queryUrl: string, users: readonly number[], tokens: Tokens): Sockets {
  const url = `${queryUrl.replace(/^http/, 'ws')}/v1/ws`;
  const entries = new Map<number, Entry>();
  let nextId = 1;
  let isClosed = false;
  const everybody = Promise.withResolvers<void>();
  let missing = users.length;
  if (missing === 0) everybody.resolve();

  const signIn = (user: number, entry: Entry, then: (status: number) => void) => {
    const id = nextId++;
    entry.waiting.set(id, then);
    entry.socket?.send(`{"id":${id},"method":"authenticate","params":{"token":"${tokens.token(user)}"}}`);
  };
  const open = (user: number, entry: Entry) => {
    const socket = new WebSocket(url);
    entry.socket = socket;
    socket.onopen = () =>
      signIn(user, entry, () => {
        if (!entry.isSignedIn && --missing === 0) everybody.resolve();
        entry.isSignedIn = true;
      });
    socket.onmessage = ({ data }: MessageEvent) => {
      const text = String(data);
      // A reply begins so, and nothing else does: most messages need no parsing.
      const id = Number(/^\{"type":"reply","id":(\d+)/.exec(text)?.[1] ?? 0);
      const done = entry.waiting.get(id);
      if (!done) return;
      entry.waiting.delete(id);
      done(Number(/"status":(\d{3})/.exec(text)?.[1] ?? 200), text);
    };
    socket.onclose = () => {
      entry.socket = undefined;
      const lost = [...entry.waiting.values()];
      entry.waiting.clear();
      for (const done of lost) done(0, 'the connection was lost');
      if (!isClosed) setTimeout(() => open(user, entry), REOPEN_MS).unref();
    };
  };
  for (const user of users) {
    const entry: Entry = { socket: undefined, isSignedIn: false, waiting: new Map() };
    entries.set(user, entry);
    open(user, entry);
  }
  const again = setInterval(() => {
    for (const [user, entry] of entries)
      if (entry.socket?.readyState === WebSocket.OPEN) signIn(user, entry, () => {});
  }, SIGN_IN_AGAIN_MS);
  again.unref();
  return {
    opened: () => everybody.promise,
    place(user, key, order, done) {
      const entry = entries.get(user);
      if (entry?.socket?.readyState !== WebSocket.OPEN || entry.waiting.size >= UNANSWERED_MAX) return false;
      const id = nextId++;
      entry.waiting.set(id, done);
      entry.socket.send(
        `{"id":${id},"method":"place_order","params":{"idempotency_key":"${key}","order":${order}}}`,
      );
      return true;
    },
    inFlight: () =>
      Array.from(entries.values(), ({ waiting }) => waiting.size).reduce((sum, n) => sum + n, 0),
    close() {
      isClosed = true;
      clearInterval(again);
      for (const { socket } of entries.values()) socket?.close();
    },
  };
}
