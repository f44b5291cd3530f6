import { LRUCache } from 'lru-cache';

/**
 * Brakes guessing of passwords: failed sign-ins of the last minute, by client address and by client address and
 * account together. Only failures count, so that a hundred programs behind one address sign in freely; and never
 * the account alone, so that nobody can lock somebody else out.
 */
export type FailedSignIns = {
  /** How long this attempt has to wait; 0: it may be made. */
  waitMs(attempt: Attempt): number;
  count(attempt: Attempt): void;
};
export type Attempt = { ip: string /** Keyed hash of the e-mail address. */; address: string };

export const FAILURES_PER_ADDRESS_MAX = 5;
export const FAILURES_PER_IP_MAX = 30;
export const FAILURE_WINDOW_MS = 60_000;
/** Windows kept, some 200 bytes each. */
const WINDOWS_MAX = 100_000;

export function failedSignIns({ monotonicMs }: { monotonicMs(): number }): FailedSignIns {
  const windows = new LRUCache<string, { startedMs: number; failures: number }>({ max: WINDOWS_MAX });
  const current = (key: string) => {
    const window = windows.get(key);
    return window && monotonicMs() - window.startedMs < FAILURE_WINDOW_MS ? window : undefined;
  };
  const wait = (key: string, max: number) => {
    const window = current(key);
    return window && window.failures >= max ? window.startedMs + FAILURE_WINDOW_MS - monotonicMs() : 0;
  };
  const add = (key: string) => {
    const { startedMs, failures } = current(key) ?? { startedMs: monotonicMs(), failures: 0 };
    windows.set(key, { startedMs, failures: failures + 1 });
  };
  return {
    waitMs({ ip, address }) {
      const network = networkOf(ip);
      return Math.max(
        wait(network, FAILURES_PER_IP_MAX),
        wait(`${network} ${address}`, FAILURES_PER_ADDRESS_MAX),
      );
    },
    count({ ip, address }) {
      const network = networkOf(ip);
      add(network);
      add(`${network} ${address}`);
    },
  };
}

/** An IPv4 address, or the /64 that one IPv6 subscriber has at his disposal. */
export function networkOf(ip: string): string {
  if (!ip.includes(':')) return ip;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip);
  if (mapped?.[1]) return mapped[1];
  const [head = '', tail] = ip.split('%', 1)[0]?.split('::') ?? [];
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - front.length - back.length;
  return [...front, ...Array<string>(Math.max(0, zeros)).fill('0'), ...back].slice(0, 4).join(':');
}
