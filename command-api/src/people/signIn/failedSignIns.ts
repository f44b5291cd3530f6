import { createHmac } from 'node:crypto';
import { networkOf, type Runtime, sleep, type Tallies } from '@brokerx/infra';
import { LRUCache } from 'lru-cache';

/**
 * Slows down guessing of passwords, from one network at many accounts and from many networks at one account, without
 * giving guessers a way to lock others out. A client still gets in from a network from which he has signed in to the
 * account before; everybody else is a stranger there. Beyond a limit a stranger waits until the failures are forgotten,
 * except where more accounts signed in from his network than attempts failed: that is an office whose people mistype, and
 * strangers there are only slowed down.
 *
 * A guesser in the owner's own network looks like the owner, with one difference: a guesser sends another password each
 * time, while the owner repeats the same one. So beyond a limit a password that was wrong before is answered again without
 * a turn and without a hash, and does not count as a guess. A password that had no turn has a queue of its own when it
 * comes again. Strangers get the same answers, so nobody learns which accounts have been signed in to from a network.
 */
export type FailedSignIns = {
  /** Whether an attempt may be made now, and in which queue. */
  standing(attempt: Attempt): Promise<Standing>;
  /** Waits for the turn of a queued attempt. Returns 0, or how long to stay away if too many wait. */
  turn(attempt: Attempt, standing: Standing): Promise<number>;
  /** Waits until a refusal may be sent, so that its time does not tell whether a password was compared. */
  delayRefusal(sinceMs: number): Promise<void>;
  /** Notes that a wrong password was compared. */
  failed(attempt: Attempt): Promise<void>;
  /** Notes that an attempt was refused without a comparison. */
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
  /** The stored hash to compare with; null: there is none. A password that was wrong may match a newer hash. */
  hash: string | null;
};

export type Standing = {
  mayTry: boolean;
  /** How long a limit stays exceeded; 0: none is. An attempt that fails meanwhile is told only this, whoever sent it. */
  brakedMs: number;
  /** Attempts in the same queue have their turns one after another; null: no queue. */
  queue: string | null;
};

export type SignInLimits = {
  perNetworkMax: number;
  networkWindowMs: number;
  perAccountMax: number;
  accountWindowMs: number;
};

/** Failures at one account from one network: above the first number attempts queue, at the second (NIST's 100) they end. */
const FREE_FAILURES_MAX = 5;
const PAIR_FAILURES_MAX = 100;
/** New passwords may use up this many of those failures; the rest is for passwords that come again. */
const NEW_PASSWORDS_MAX = 50;
/** A password that had no turn counts as coming again after this time. */
const AGAIN_AFTER_MS = 1_000;
/** Time between the turns of a queue. Each process has queues of its own. */
export const TURN_EVERY_MS = 1_000;
/** The longest wait for a turn: what a browser's user accepts, and less than the time-out of an answer. */
const TURN_WITHIN_MS = 5_000;
/** A refusal takes this long: several times as long as a hash, so that nobody sees whether one was computed. */
const REFUSED_AFTER_MS = 500;
/** Accounts that signed in are counted for a day, because the people of an office sign in in the morning. */
const SUCCESS_WINDOW_MS = 24 * 3_600_000;
/** The most counts, queues and passwords, each, that a process keeps, some 200 bytes each. */
const WINDOWS_MAX = 100_000;
/** Attempts of a process that wait for a turn at a time; more are sent away. As many refusals may be delayed at a time. */
const WAITING_MAX = 500;

/** A password that was sent. It is kept as a hash only, under a key that this process alone has and does not store. */
type SentPassword = { sinceMs: number; wasWrong: boolean };

export function failedSignIns(tallies: Tallies, limits: SignInLimits, runtime: Runtime): FailedSignIns {
  const tally = (name: string, windowMs: number) => tallies.tally(name, { windowMs, keysMax: WINDOWS_MAX });
  const networkFailures = tally('failed-sign-ins-network', limits.networkWindowMs);
  const accountFailures = tally('failed-sign-ins-account', limits.accountWindowMs);
  const pairFailures = tally('failed-sign-ins-both', limits.accountWindowMs);
  const pairSuccesses = tally('sign-ins-both', SUCCESS_WINDOW_MS);
  const networkSuccesses = tally('sign-ins-network', SUCCESS_WINDOW_MS);
  const nextTurns = new LRUCache<string, number>({ max: WINDOWS_MAX });
  const passwords = sentPasswords(runtime, limits.accountWindowMs);
  const turns = boundedWaits(runtime);
  const delays = boundedWaits(runtime);

  return {
    async standing(attempt) {
      const keys = keysOf(attempt);
      const [network, account, pair, successes] = await Promise.all([
        networkFailures.read(keys.network),
        accountFailures.read(attempt.address),
        pairFailures.read(keys.pair),
        networkSuccesses.read(keys.network),
      ]);
      const sent = passwords.find(attempt);
      const comesAgain = sent !== null && runtime.monotonicMs() - sent.sinceMs >= AGAIN_AFTER_MS;
      const networkBrakedMs = network.count > limits.perNetworkMax ? network.leftMs : 0;
      const accountBrakedMs = account.count > limits.perAccountMax ? account.leftMs : 0;
      const isExhausted = pair.count >= PAIR_FAILURES_MAX;
      const mustComeAgain = !isExhausted && pair.count >= NEW_PASSWORDS_MAX && !comesAgain;
      const brakedMs = mustComeAgain
        ? AGAIN_AFTER_MS
        : Math.max(networkBrakedMs, accountBrakedMs, isExhausted ? pair.leftMs : 0);
      const isOffice = networkBrakedMs > 0 && successes.count > network.count;
      const mayTryHere = attempt.isAtHome || (accountBrakedMs === 0 && (networkBrakedMs === 0 || isOffice));
      const mayTry = mayTryHere && !isExhausted && !mustComeAgain;
      // A password that came before is answered as it was then.
      if (brakedMs > 0 && sent && (sent.wasWrong || !mayTryHere))
        return { mayTry: false, brakedMs, queue: null };
      const ownQueue = comesAgain ? `${keys.pair} again` : keys.pair;
      const queue =
        pair.count > FREE_FAILURES_MAX ? ownQueue : isOffice && !attempt.isAtHome ? keys.network : null;
      return { mayTry, brakedMs, queue };
    },

    async turn(attempt, { queue }) {
      if (queue === null) return 0;
      const nowMs = runtime.monotonicMs();
      const turnMs = Math.max(nowMs, nextTurns.get(queue) ?? 0);
      const aheadMs = turnMs - nowMs;
      if (aheadMs > TURN_WITHIN_MS || turns.isFull()) {
        passwords.note(attempt, false);
        return Math.max(aheadMs - TURN_WITHIN_MS, AGAIN_AFTER_MS);
      }
      nextTurns.set(queue, turnMs + TURN_EVERY_MS);
      if (aheadMs > 0) await turns.wait(aheadMs);
      return 0;
    },

    async delayRefusal(sinceMs) {
      const leftMs = sinceMs + REFUSED_AFTER_MS - runtime.monotonicMs();
      if (leftMs > 0 && !delays.isFull()) await delays.wait(leftMs);
    },

    async failed(attempt) {
      const { network, pair } = keysOf(attempt);
      const isGuess = !passwords.find(attempt)?.wasWrong;
      passwords.note(attempt, true);
      await Promise.all([
        networkFailures.count(network),
        accountFailures.count(attempt.address),
        ...(isGuess ? [pairFailures.count(pair)] : []),
      ]);
    },

    async refused(attempt) {
      const { pair } = keysOf(attempt);
      const isNew = passwords.find(attempt) === null;
      passwords.note(attempt, false);
      if (isNew && (await pairFailures.read(pair)).count < NEW_PASSWORDS_MAX) await pairFailures.count(pair);
    },

    async succeeded(attempt) {
      const { network, pair } = keysOf(attempt);
      const { count } = await pairSuccesses.count(pair);
      // An account that signs in several times counts once.
      if (count === 1) await networkSuccesses.count(network);
    },
  };
}

/** The keys under which an attempt is counted: its network, and the pair of network and account. */
function keysOf({ ip, address }: Attempt) {
  const network = networkOf(ip);
  return { network, pair: `${network} ${address}` };
}

/** Remembers the passwords that were sent for an account from a network without success, each for a window of time. */
function sentPasswords(runtime: Runtime, windowMs: number) {
  const secret = runtime.randomBytes(32);
  const byHash = new LRUCache<string, SentPassword>({ max: WINDOWS_MAX });
  const keyOf = (attempt: Attempt) =>
    createHmac('sha256', secret)
      .update(JSON.stringify([keysOf(attempt).pair, attempt.hash, attempt.password]))
      .digest('base64url');
  const find = (attempt: Attempt): SentPassword | null => {
    const found = byHash.get(keyOf(attempt));
    return found && runtime.monotonicMs() < found.sinceMs + windowMs ? found : null;
  };
  return {
    find,
    note(attempt: Attempt, wasWrong: boolean) {
      const earlier = find(attempt);
      const sinceMs = earlier?.sinceMs ?? runtime.monotonicMs();
      byHash.set(keyOf(attempt), { sinceMs, wasWrong: wasWrong || earlier?.wasWrong === true });
    },
  };
}

/** Waits of which only `WAITING_MAX` may run at a time. */
function boundedWaits(runtime: Runtime) {
  let waitingCount = 0;
  return {
    isFull: () => waitingCount >= WAITING_MAX,
    async wait(ms: number) {
      waitingCount += 1;
      try {
        await sleep(runtime, ms);
      } finally {
        waitingCount -= 1;
      }
    },
  };
}
