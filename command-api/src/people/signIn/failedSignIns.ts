import { networkOf, type Runtime, sleep, type Tallies } from '@brokerx/infra';
import { LRUCache } from 'lru-cache';

/**
 * Brakes guessing of passwords, from one network for many accounts and from many networks for one account, without
 * being a way to shut others out: whoever has signed in to an account from a network before still gets in from there,
 * and a network from which more accounts signed in than attempts failed is an office that mistypes: strangers there are
 * slowed. Any other stranger waits until the failures are forgotten.
 */
export type FailedSignIns = {
  /** What may become of an attempt now. */
  standing(attempt: Attempt): Promise<Standing>;
  /** Waits for the turn of an attempt that is one of many; how long to stay away where too many wait, else 0. */
  turn(standing: Standing): Promise<number>;
  /** Waits until a refusal may be told: those after a password was tried take no longer than those before. */
  hold(sinceMs: number): Promise<void>;
  /** A wrong password was tried. */
  failed(attempt: Attempt): Promise<void>;
  /** None was tried. */
  refused(attempt: Attempt): Promise<void>;
  succeeded(attempt: Attempt): Promise<void>;
};

export type Attempt = {
  ip: string;
  /** Keyed hash of the e-mail address. */
  address: string;
  /** Whether the account has signed in from this network before. */
  isAtHome: boolean;
};

export type Standing = {
  mayTry: boolean;
  /** Beyond a limit: for how long. Who fails then learns that alone, at home or not. */
  brakedMs: number;
  /** Attempts of the same queue have their turns one after another; null: at once. */
  queue: string | null;
};

export type SignInLimits = {
  perNetworkMax: number;
  networkWindowMs: number;
  perAccountMax: number;
  accountWindowMs: number;
};

/** Failures of one account from one network: beyond so many its attempts queue, beyond more (NIST's hundred) they end. */
const FREE_FAILURES_MAX = 5;
const AT_HOME_FAILURES_MAX = 100;
/** Turns of one queue are so far apart. Each process has queues of its own. */
export const TURN_EVERY_MS = 1_000;
/** What a browser's user waits, below the time in which an answer must come. */
const TURN_WITHIN_MS = 5_000;
/** Several times what a hash takes, so that nobody sees whether there was one. */
const REFUSED_AFTER_MS = 500;
/** Accounts that signed in are remembered for a day: an office does so in the morning. */
const SUCCESS_WINDOW_MS = 24 * 3_600_000;
/** Windows and queues kept by a process, some 200 bytes each. */
const WINDOWS_MAX = 100_000;
/** Attempts of a process that wait at the same time; more are answered at once. */
const WAITING_MAX = 500;

export function failedSignIns(tallies: Tallies, limits: SignInLimits, runtime: Runtime): FailedSignIns {
  const windows = (name: string, windowMs: number) => tallies.tally(name, { windowMs, keysMax: WINDOWS_MAX });
  const ofNetwork = windows('failed-sign-ins-network', limits.networkWindowMs);
  const ofAccount = windows('failed-sign-ins-account', limits.accountWindowMs);
  const ofBoth = windows('failed-sign-ins-both', limits.accountWindowMs);
  const accountsOf = windows('sign-ins-both', SUCCESS_WINDOW_MS);
  const accountsIn = windows('sign-ins-network', SUCCESS_WINDOW_MS);
  const nextTurns = new LRUCache<string, number>({ max: WINDOWS_MAX });
  let waiting = 0;

  const keysOf = ({ ip, address }: Attempt) => {
    const network = networkOf(ip);
    return { network, both: `${network} ${address}` };
  };
  const wait = async (ms: number) => {
    waiting += 1;
    try {
      await sleep(runtime, ms);
    } finally {
      waiting -= 1;
    }
  };

  return {
    async standing(attempt) {
      const { network, both } = keysOf(attempt);
      const [there, account, here, signedIn] = await Promise.all([
        ofNetwork.read(network),
        ofAccount.read(attempt.address),
        ofBoth.read(both),
        accountsIn.read(network),
      ]);
      const networkMs = there.count > limits.perNetworkMax ? there.leftMs : 0;
      const accountMs = account.count > limits.perAccountMax ? account.leftMs : 0;
      const hereMs = here.count > AT_HOME_FAILURES_MAX ? here.leftMs : 0;
      const isOffice = networkMs > 0 && signedIn.count > there.count;
      const mayTryHere = attempt.isAtHome || (accountMs === 0 && (networkMs === 0 || isOffice));
      const queue = here.count > FREE_FAILURES_MAX ? both : isOffice && !attempt.isAtHome ? network : null;
      return {
        mayTry: mayTryHere && hereMs === 0,
        brakedMs: Math.max(networkMs, accountMs, hereMs),
        queue,
      };
    },

    async turn({ queue }) {
      if (queue === null) return 0;
      const nowMs = runtime.monotonicMs();
      const turnMs = Math.max(nowMs, nextTurns.get(queue) ?? 0);
      const aheadMs = turnMs - nowMs;
      if (aheadMs > TURN_WITHIN_MS || waiting >= WAITING_MAX) return Math.max(aheadMs, TURN_EVERY_MS);
      nextTurns.set(queue, turnMs + TURN_EVERY_MS);
      if (aheadMs > 0) await wait(aheadMs);
      return 0;
    },

    async hold(sinceMs) {
      const leftMs = sinceMs + REFUSED_AFTER_MS - runtime.monotonicMs();
      if (leftMs > 0 && waiting < WAITING_MAX) await wait(leftMs);
    },

    async failed(attempt) {
      const { network, both } = keysOf(attempt);
      await Promise.all([ofNetwork.count(network), ofAccount.count(attempt.address), ofBoth.count(both)]);
    },

    async refused(attempt) {
      await ofBoth.count(keysOf(attempt).both);
    },

    async succeeded(attempt) {
      const { network, both } = keysOf(attempt);
      const { count } = await accountsOf.count(both);
      // Who signs in again and again is one account.
      if (count === 1) await accountsIn.count(network);
    },
  };
}
