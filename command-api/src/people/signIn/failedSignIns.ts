import { createHmac } from 'node:crypto';
import { networkOf, type Runtime, sleep, type Tallies } from '@brokerx/infra';
import { LRUCache } from 'lru-cache';

/**
 * Brakes guessing of passwords, from one network for many accounts and from many networks for one account, without
 * being a way to shut others out: whoever has signed in to an account from a network before still gets in from there,
 * and a network from which more accounts signed in than attempts failed is an office that mistypes: strangers there are
 * slowed. Any other stranger waits until the failures are forgotten.
 *
 * Somebody at the same address who guesses at one account looks like its owner, but for this: who guesses comes with
 * another password each time, and who knows it comes again with the same one. So a password that was wrong is not a
 * guess any more, takes no turn and no hash; and one that had no turn has a line of its own when it comes again. A
 * stranger is answered alike, so that nobody learns whose account has been signed in to from there.
 */
export type FailedSignIns = {
  /** What may become of an attempt now. */
  standing(attempt: Attempt): Promise<Standing>;
  /** Waits for the turn of an attempt that is one of many; how long to stay away where too many wait, else 0. */
  turn(attempt: Attempt, standing: Standing): Promise<number>;
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
  password: string;
  /** The stored hash that the password was compared with; null: there was none. A wrong password may match the next hash. */
  hash: string | null;
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
/** New passwords may use this many of these failures; the rest is for passwords that come again. */
const NEW_PASSWORDS_MAX = 50;
/** A password without a turn has come again when it is there so much later. */
const AGAIN_AFTER_MS = 1_000;
/** Turns of one queue are so far apart. Each process has queues of its own. */
export const TURN_EVERY_MS = 1_000;
/** What a browser's user waits, below the time in which an answer must come. */
const TURN_WITHIN_MS = 5_000;
/** Several times what a hash takes, so that nobody sees whether there was one. */
const REFUSED_AFTER_MS = 500;
/** Accounts that signed in are remembered for a day: an office does so in the morning. */
const SUCCESS_WINDOW_MS = 24 * 3_600_000;
/** Windows, queues and passwords kept by a process, some 200 bytes each. */
const WINDOWS_MAX = 100_000;
/** Attempts of a process that wait for a turn at the same time; more are sent away. As many refusals wait to be told. */
const WAITING_MAX = 500;

/** What became of a password: never as text, under a key that no other process has and that nobody keeps. */
type Seen = { sinceMs: number; wasWrong: boolean };

export function failedSignIns(tallies: Tallies, limits: SignInLimits, runtime: Runtime): FailedSignIns {
  const windows = (name: string, windowMs: number) => tallies.tally(name, { windowMs, keysMax: WINDOWS_MAX });
  const ofNetwork = windows('failed-sign-ins-network', limits.networkWindowMs);
  const ofAccount = windows('failed-sign-ins-account', limits.accountWindowMs);
  const ofBoth = windows('failed-sign-ins-both', limits.accountWindowMs);
  const accountsOf = windows('sign-ins-both', SUCCESS_WINDOW_MS);
  const accountsIn = windows('sign-ins-network', SUCCESS_WINDOW_MS);
  const nextTurns = new LRUCache<string, number>({ max: WINDOWS_MAX });
  const passwords = seenPasswords(runtime, limits.accountWindowMs);
  const turns = boundedWaits(runtime);
  const holds = boundedWaits(runtime);

  return {
    async standing(attempt) {
      const { network, both } = keysOf(attempt);
      const [there, account, here, signedIn] = await Promise.all([
        ofNetwork.read(network),
        ofAccount.read(attempt.address),
        ofBoth.read(both),
        accountsIn.read(network),
      ]);
      const seen = passwords.of(attempt);
      const isAgain = seen !== null && runtime.monotonicMs() - seen.sinceMs >= AGAIN_AFTER_MS;
      const networkMs = there.count > limits.perNetworkMax ? there.leftMs : 0;
      const accountMs = account.count > limits.perAccountMax ? account.leftMs : 0;
      const isOver = here.count >= AT_HOME_FAILURES_MAX;
      const mustComeAgain = !isOver && here.count >= NEW_PASSWORDS_MAX && !isAgain;
      const brakedMs = mustComeAgain
        ? AGAIN_AFTER_MS
        : Math.max(networkMs, accountMs, isOver ? here.leftMs : 0);
      const isOffice = networkMs > 0 && signedIn.count > there.count;
      const mayTryHere = attempt.isAtHome || (accountMs === 0 && (networkMs === 0 || isOffice));
      const mayTry = mayTryHere && !isOver && !mustComeAgain;
      // Answered as it was before.
      if (brakedMs > 0 && seen && (seen.wasWrong || !mayTryHere))
        return { mayTry: false, brakedMs, queue: null };
      const ownQueue = isAgain ? `${both} again` : both;
      const queue =
        here.count > FREE_FAILURES_MAX ? ownQueue : isOffice && !attempt.isAtHome ? network : null;
      return { mayTry, brakedMs, queue };
    },

    async turn(attempt, { queue }) {
      if (queue === null) return 0;
      const nowMs = runtime.monotonicMs();
      const turnMs = Math.max(nowMs, nextTurns.get(queue) ?? 0);
      const aheadMs = turnMs - nowMs;
      if (aheadMs > TURN_WITHIN_MS || turns.areMany()) {
        passwords.note(attempt, false);
        return Math.max(aheadMs - TURN_WITHIN_MS, AGAIN_AFTER_MS);
      }
      nextTurns.set(queue, turnMs + TURN_EVERY_MS);
      if (aheadMs > 0) await turns.wait(aheadMs);
      return 0;
    },

    async hold(sinceMs) {
      const leftMs = sinceMs + REFUSED_AFTER_MS - runtime.monotonicMs();
      if (leftMs > 0 && !holds.areMany()) await holds.wait(leftMs);
    },

    async failed(attempt) {
      const { network, both } = keysOf(attempt);
      const isGuess = !passwords.of(attempt)?.wasWrong;
      passwords.note(attempt, true);
      await Promise.all([
        ofNetwork.count(network),
        ofAccount.count(attempt.address),
        ...(isGuess ? [ofBoth.count(both)] : []),
      ]);
    },

    async refused(attempt) {
      const { both } = keysOf(attempt);
      const isNew = passwords.of(attempt) === null;
      passwords.note(attempt, false);
      if (isNew && (await ofBoth.read(both)).count < NEW_PASSWORDS_MAX) await ofBoth.count(both);
    },

    async succeeded(attempt) {
      const { network, both } = keysOf(attempt);
      const { count } = await accountsOf.count(both);
      // Who signs in again and again is one account.
      if (count === 1) await accountsIn.count(network);
    },
  };
}

function keysOf({ ip, address }: Attempt) {
  const network = networkOf(ip);
  return { network, both: `${network} ${address}` };
}

/** The passwords that came for an account from a network within a window of their own, and had no success. */
function seenPasswords(runtime: Runtime, windowMs: number) {
  const secret = runtime.randomBytes(32);
  const seen = new LRUCache<string, Seen>({ max: WINDOWS_MAX });
  const keyOf = (attempt: Attempt) =>
    createHmac('sha256', secret)
      .update(JSON.stringify([keysOf(attempt).both, attempt.hash, attempt.password]))
      .digest('base64url');
  const of = (attempt: Attempt): Seen | null => {
    const known = seen.get(keyOf(attempt));
    return known && runtime.monotonicMs() < known.sinceMs + windowMs ? known : null;
  };
  return {
    of,
    note(attempt: Attempt, wasWrong: boolean) {
      const known = of(attempt);
      const sinceMs = known?.sinceMs ?? runtime.monotonicMs();
      seen.set(keyOf(attempt), { sinceMs, wasWrong: wasWrong || known?.wasWrong === true });
    },
  };
}

function boundedWaits(runtime: Runtime) {
  let waiting = 0;
  return {
    areMany: () => waiting >= WAITING_MAX,
    async wait(ms: number) {
      waiting += 1;
      try {
        await sleep(runtime, ms);
      } finally {
        waiting -= 1;
      }
    },
  };
}
