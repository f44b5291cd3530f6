/**
 * Work that goes in rounds: before each round something is read, and all that was asked for before that reading began
 * is then done in one breath. Whoever comes later waits for the next round, and so never acts on what is too old.
 */
export type Rounds = {
  isOn(): boolean;
  /** `again` when the reading was in vain. Rejects with what the reading or the work throws. */
  join<R>(work: () => Promise<R>): Promise<R | 'again'>;
};

export function rounds(options: {
  /** False: what was read for is of no use any more. */
  read: () => Promise<boolean>;
  /** Called when nobody waits any more. */
  onEnd: () => void;
}): Rounds {
  let waiting: { go(): Promise<void>; again(): void; fail(error: unknown): void }[] = [];
  let isOn = false;

  const run = async () => {
    isOn = true;
    while (waiting.length > 0) {
      const round = waiting;
      waiting = [];
      try {
        if (await options.read()) await Promise.all(round.map(({ go }) => go()));
        else for (const { again } of round) again();
      } catch (error) {
        for (const { fail } of round) fail(error);
      }
    }
    isOn = false;
    options.onEnd();
  };

  return {
    isOn: () => isOn,
    join<R>(work: () => Promise<R>) {
      const { promise, resolve, reject } = Promise.withResolvers<R | 'again'>();
      waiting.push({
        go: () => work().then(resolve, reject),
        again: () => resolve('again'),
        fail: reject,
      });
      if (!isOn) void run();
      return promise;
    },
  };
}
