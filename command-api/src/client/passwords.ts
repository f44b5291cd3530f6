import type { Runtime } from '@brokerx/infra';
import { hash, verify } from '@node-rs/argon2';

/**
 * Argon2id password hashes in PHC form. Hashing shares the thread pool with the disk: more than two at a time
 * would make every append of the process wait, so the rest queue, and beyond the queue's bound are refused.
 */
export type Passwords = {
  hash(password: string): Promise<string>;
  /**
   * Whether the password is the hash's. Without a hash (nobody has that address) it takes the same time and is
   * false. `begin` is asked when its turn has come: false there means not to hash at all.
   */
  verify(phc: string | null, password: string, begin?: () => Promise<boolean> | boolean): Promise<boolean>;
};

/** The queue is full. */
export class HashingBusy extends Error {
  override name = 'HashingBusy';
}

/** OWASP's minimum: 19 MiB, two passes, one lane; some 25 ms of a core. */
const ARGON2ID = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const AT_A_TIME_MAX = 2;
/** At 40 hashes a second on a shared core the last one waits little more than a second. */
const WAITING_MAX = 50;
const DUMMY_PASSWORD_BYTES = 32;

export function argon2Passwords(runtime: Runtime): Passwords {
  const waiting: (() => void)[] = [];
  let running = 0;
  let dummy: Promise<string> | null = null;

  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= AT_A_TIME_MAX) {
      if (waiting.length >= WAITING_MAX) throw new HashingBusy(`${waiting.length} passwords are waiting`);
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await work();
    } finally {
      // The turn is handed on, so that nobody comes between.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
  const dummyHash = () => {
    dummy ??= hash(runtime.randomBytes(DUMMY_PASSWORD_BYTES), ARGON2ID);
    return dummy;
  };

  return {
    hash: (password) => inTurn(() => hash(password, ARGON2ID)),
    verify: (phc, password, begin = () => true) =>
      inTurn(async () => {
        if (!(await begin())) return false;
        const matches = await verify(phc ?? (await dummyHash()), password);
        return matches && phc !== null;
      }),
  };
}
