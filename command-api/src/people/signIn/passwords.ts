import type { Runtime } from '@brokerx/infra';
import { hash, verify } from '@node-rs/argon2';
import { type Caller, fairTurns } from './fairTurns.ts';

/**
 * Makes and verifies Argon2id password hashes in PHC form. Hashing shares the thread pool with the disk: more than two
 * hashes at a time would delay every append of the process. So the others wait for their turns, up to a bound.
 */
export type Passwords = {
  hash(password: string, caller?: Caller): Promise<string>;
  /**
   * Whether the password matches the hash. Without a hash (nobody has that address) the call takes as long, and is false.
   * `begin` is called when the turn has come: if it returns false, nothing is hashed.
   */
  verify(
    phc: string | null,
    password: string,
    begin?: () => Promise<boolean> | boolean,
    caller?: Caller,
  ): Promise<boolean>;
};

/** The cost of a hash: KiB of memory, passes over it, lanes. */
export type HashCost = Readonly<Record<'memoryCost' | 'timeCost' | 'parallelism', number>>;

/** OWASP's minimum: 19 MiB, two passes, one lane; some 25 ms of a core. */
const ARGON2ID: HashCost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const AT_A_TIME_MAX = 2;
/** Hashes waiting per kind. At 40 a second on a shared core, the last of two full lines waits less than three seconds. */
const WAITING_PER_KIND_MAX = 50;
const DUMMY_PASSWORD_BYTES = 32;
/** The caller of hashes that no request asks for, such as the first operator's at the start. */
const OURSELVES: Caller = { kind: 'own', address: '', isGone: () => false };

export function argon2Passwords(runtime: Runtime, cost: HashCost = ARGON2ID): Passwords {
  const turns = fairTurns({ atATimeMax: AT_A_TIME_MAX, waitingPerKindMax: WAITING_PER_KIND_MAX });
  let dummy: Promise<string> | null = null;

  const dummyHash = () => {
    dummy ??= hash(runtime.randomBytes(DUMMY_PASSWORD_BYTES), cost);
    return dummy;
  };

  return {
    hash: (password, caller = OURSELVES) => turns.inTurn(caller, () => hash(password, cost)),
    verify: (phc, password, begin = () => true, caller = OURSELVES) =>
      turns.inTurn(caller, async () => {
        if (!(await begin())) return false;
        const matches = await verify(phc ?? (await dummyHash()), password);
        return matches && phc !== null;
      }),
  };
}
