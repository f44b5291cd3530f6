import { networkOf, type Standing, type Tallies } from '@brokerx/infra';

/**
 * Brakes guessing of passwords: failed sign-ins of the last minute, by client address and by client address and
 * account together. Only failures count, so that a hundred programs behind one address sign in freely; and never
 * the account alone, so that nobody can lock somebody else out.
 */
export type FailedSignIns = {
  /** How long this attempt has to wait; 0: it may be made. */
  waitMs(attempt: Attempt): Promise<number>;
  count(attempt: Attempt): Promise<void>;
};
export type Attempt = { ip: string /** Keyed hash of the e-mail address. */; address: string };

export const FAILURES_PER_ADDRESS_MAX = 5;
export const FAILURES_PER_IP_MAX = 30;
export const FAILURE_WINDOW_MS = 60_000;
/** Windows kept by a process, some 200 bytes each. */
const WINDOWS_MAX = 100_000;

export function failedSignIns(tallies: Tallies): FailedSignIns {
  const failures = tallies.tally('failed-sign-ins', { windowMs: FAILURE_WINDOW_MS, keysMax: WINDOWS_MAX });
  const keysOf = ({ ip, address }: Attempt) => {
    const network = networkOf(ip);
    return [network, `${network} ${address}`] as const;
  };
  const wait = ({ count, leftMs }: Standing, max: number) => (count >= max ? leftMs : 0);
  return {
    async waitMs(attempt) {
      const [network, account] = keysOf(attempt);
      const [there, one] = await Promise.all([failures.read(network), failures.read(account)]);
      return Math.max(wait(there, FAILURES_PER_IP_MAX), wait(one, FAILURES_PER_ADDRESS_MAX));
    },
    async count(attempt) {
      await Promise.all(keysOf(attempt).map((key) => failures.count(key)));
    },
  };
}
