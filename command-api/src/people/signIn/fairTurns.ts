import { networkOf } from '@brokerx/infra';

/**
 * Runs work of which only a little can be done at a time, in fair turns. Each kind of work has a waiting line, and the
 * lines take turns; within a line, the networks of the callers take turns. So a caller who sends much waits behind his own
 * requests, and one kind of work never shuts out another. A caller who has left gets no turn.
 */
export type FairTurns = {
  /** Throws `NoTurn` if the line is full, or if the caller left before the turn came. */
  inTurn<T>(caller: Caller, work: () => Promise<T>): Promise<T>;
  /** The number of callers who wait. */
  waiting(): number;
};

export type Caller = {
  /** The kind of work; each kind has a line of its own. */
  kind: string;
  /** The client's IP address. */
  address: string;
  /** Whether the caller has left, so that nobody waits for the outcome. */
  isGone(): boolean;
};

export class NoTurn extends Error {
  override name = 'NoTurn';
}

type Waiter = { caller: Caller; begin(): void; turnAway(reason: string): void };
/** The waiting callers by their network; the first network has the next turn. */
type Line = Map<string, Waiter[]>;

export function fairTurns(options: { atATimeMax: number; waitingPerKindMax: number }): FairTurns {
  const { atATimeMax, waitingPerKindMax } = options;
  const lines = new Map<string, Line>();
  let running = 0;

  const nextWaiter = (): Waiter | undefined => {
    for (const [kind, line] of lines) {
      const waiter = firstOf(line);
      lines.delete(kind);
      // The kind goes behind the others.
      if (line.size > 0) lines.set(kind, line);
      if (waiter) return waiter;
    }
    return undefined;
  };
  const enqueue = (waiter: Waiter) => {
    const { kind, address } = waiter.caller;
    const line = lines.get(kind) ?? new Map<string, Waiter[]>();
    lines.set(kind, line);
    const network = networkOf(address);
    if (lengthOf(line) >= waitingPerKindMax) makeRoom(line, network);
    if (lengthOf(line) >= waitingPerKindMax) return waiter.turnAway(`${waitingPerKindMax} wait already`);
    const sameNetwork = line.get(network);
    if (sameNetwork) sameNetwork.push(waiter);
    else line.set(network, [waiter]);
  };
  const waitForTurn = (caller: Caller) => {
    if (running < atATimeMax) {
      running += 1;
      return Promise.resolve();
    }
    return new Promise<void>((begin, reject) => {
      enqueue({ caller, begin, turnAway: (reason) => reject(new NoTurn(reason)) });
    });
  };

  return {
    async inTurn(caller, work) {
      await waitForTurn(caller);
      try {
        if (caller.isGone()) throw new NoTurn(GONE);
        return await work();
      } finally {
        // The turn is handed on, so that no newcomer takes it.
        const waiter = nextWaiter();
        if (waiter) waiter.begin();
        else running -= 1;
      }
    },
    waiting: () => lines.values().reduce((sum, line) => sum + lengthOf(line), 0),
  };
}

const GONE = 'the caller has left';

/** Takes out the next waiter of a line whose caller is still there. */
function firstOf(line: Line): Waiter | undefined {
  for (const [network, waiters] of line) {
    line.delete(network);
    while (waiters.length > 0) {
      const waiter = waiters.shift();
      if (waiter?.caller.isGone()) waiter.turnAway(GONE);
      else if (waiter) {
        if (waiters.length > 0) line.set(network, waiters);
        return waiter;
      }
    }
  }
  return undefined;
}

/**
 * Makes room in a full line by turning away the callers who have left. If there are none, the last waiter of the network
 * with the most has to go, provided it has more than the newcomer's network would have.
 */
function makeRoom(line: Line, newNetwork: string): void {
  const before = lengthOf(line);
  for (const [network, waiters] of line) {
    const present: Waiter[] = [];
    for (const waiter of waiters) {
      if (waiter.caller.isGone()) waiter.turnAway(GONE);
      else present.push(waiter);
    }
    if (present.length > 0) line.set(network, present);
    else line.delete(network);
  }
  if (lengthOf(line) < before) return;
  const [heaviest] = [...line.values()].sort((a, b) => b.length - a.length);
  if (heaviest && heaviest.length > (line.get(newNetwork)?.length ?? 0) + 1) {
    heaviest.pop()?.turnAway('others of this address wait already');
  }
}

const lengthOf = (line: Line): number => line.values().reduce((sum, waiters) => sum + waiters.length, 0);
