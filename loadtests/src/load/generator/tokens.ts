import type { Connections } from './connections.ts';
import { draw } from './draw.ts';
import type { LoadUser } from './protocol.ts';

/**
 * Access tokens of the users, renewed before they expire: a run may be longer than a token lives. Renewals are spread over the
 * second half of the tokens' lives, since a sign-in costs the server more than a hundred orders do.
 */
export type Tokens = {
  /** The header line, whole. */
  authorization(user: number): string;
  token(user: number): string;
  stats(): { renewals: number; failed: number };
  stop(): void;
};

const LOOK_MS = 500;
const AT_ONCE_MAX = 4;
const RETRY_MS = 5_000;
/** The parts of a token's life after which the first, and before which the last is renewed. */
const [EARLIEST, LATEST] = [0.5, 0.85];

export function tokens(users: readonly (LoadUser & { url: Connections })[], seed: number): Tokens {
  const current = users.map(({ token }) => token);
  const lines = current.map(lineOf);
  const nowMs = Date.now();
  const dueMs = users.map(({ expiresMs }, index) => renewalOf(expiresMs - nowMs, index));
  let underWay = 0;
  let [renewals, failed] = [0, 0];

  function renewalOf(lifeMs: number, index: number): number {
    return Date.now() + lifeMs * (EARLIEST + (LATEST - EARLIEST) * draw(seed, index, 9));
  }
  const renew = (index: number) => {
    const { url, email, password } = users[index] as (typeof users)[number];
    const body = JSON.stringify({ email, password });
    dueMs[index] = Number.POSITIVE_INFINITY;
    underWay += 1;
    const isSent = url.send(
      `POST /v1/sessions HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      (status, _head, text) => {
        underWay -= 1;
        const session =
          status === 201 ? (JSON.parse(text) as { access_token: string; expires_in: number }) : undefined;
        if (session) {
          renewals += 1;
          current[index] = session.access_token;
          lines[index] = lineOf(session.access_token);
          dueMs[index] = renewalOf(session.expires_in * 1_000, index);
        } else {
          failed += 1;
          dueMs[index] = Date.now() + RETRY_MS;
        }
      },
    );
    if (!isSent) {
      underWay -= 1;
      dueMs[index] = Date.now() + RETRY_MS;
    }
  };
  const timer = setInterval(() => {
    const now = Date.now();
    for (let index = 0; index < users.length && underWay < AT_ONCE_MAX; index++) {
      if ((dueMs[index] ?? 0) <= now) renew(index);
    }
  }, LOOK_MS);
  timer.unref();
  return {
    authorization: (user) => lines[user] ?? '',
    token: (user) => current[user] ?? '',
    stats: () => ({ renewals, failed }),
    stop: () => clearInterval(timer),
  };
}

const lineOf = (token: string) => `authorization: Bearer ${token}\r\n`;
