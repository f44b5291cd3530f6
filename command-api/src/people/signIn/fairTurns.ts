import { networkOf } from '@brokerx/infra';

/**
 * Shares out work that only a few callers can have done at once. Each kind of work has a line of its own, and the lines
 * take turns; within a line, the networks of the callers take turns. A caller who sends much waits behind himself, and one
 * kind of work never shuts out another. A caller who has left gets no turn.
 */
export type FairTurns = {
  /** Throws `NoTurn` where the line is full, or the caller left before the turn came. */
  inTurn<T>(caller: Caller, work: () => Promise<T>): Promise<T>;
  waiting(): number;
};

export type Caller = {
  /** The kind of work; each kind has a line of its own. */
  kind: string;
  /** The client's IP address. */
  address: string;
  /** Whether nobody waits for the outcome any more. */
  isGone(): boolean;
};

export class NoTurn extends Error {
  override name = 'NoTurn';
}

type Waiter = { caller: Caller; begin(): void; turnAway(why: string): void };
/** The waiting callers by their network; the first network has the next turn. */
type Line = Map<string, Waiter[]>;

export function fairTurns(options: { atATimeMax: number; waitingPerKindMax: number }): FairTurns {
  const { atATimeMax, waitingPerKindMax } = options;
  const lines = new Map<string, Line>();
  let running = 0;

  const next = (): Waiter | undefined => {
    for (const [kind, line] of lines) {
      const waiter = firstOf(line);
      lines.delete(kind);
      // Behind the other kinds.
      if (line.size > 0) lines.set(kind, line);
      if (waiter) return waiter;
    }
    return undefined;
  };
  const line = (waiter: Waiter) => {
    const { kind, address } = waiter.caller;
    const own = lines.get(kind) ?? new Map<string, Waiter[]>();
    lines.set(kind, own);
    const network = networkOf(address);
    if (lengthOf(own) >= waitingPerKindMax) makeRoom(own, network);
    if (lengthOf(own) >= waitingPerKindMax) return waiter.turnAway(`${waitingPerKindMax} wait already`);
    const neighbours = own.get(network);
    if (neighbours) neighbours.push(waiter);
    else own.set(network, [waiter]);
  };
  const turn = (caller: Caller) => {
    if (running < atATimeMax) {
      running += 1;
      return Promise.resolve();
    }
    return new Promise<void>((begin, reject) => {
      line({ caller, begin, turnAway: (why) => reject(new NoTurn(why)) });
    });
  };

  return {
    async inTurn(caller, work) {
      await turn(caller);
      try {
        if (caller.isGone()) throw new NoTurn(GONE);
        return await work();
      } finally {
        // The turn is handed on, so that nobody comes between.
        const waiter = next();
        if (waiter) waiter.begin();
        else running -= 1;
      }
    },
    waiting: () => lines.values().reduce((sum, own) => sum + lengthOf(own), 0),
  };
}

const GONE = 'the caller has left';

/** The next one of a line who is still there. */
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

/** Lets those go who have left; else the last one of the address that has most, if that is more than the newcomer's. */
function makeRoom(line: Line, newcomer: string): void {
  const before = lengthOf(line);
  for (const [network, waiters] of line) {
    const [gone = [], present = []] = [true, false].map((is) =>
      waiters.filter(({ caller }) => caller.isGone() === is),
    );
    for (const waiter of gone) waiter.turnAway(GONE);
    if (present.length > 0) line.set(network, present);
    else line.delete(network);
  }
  if (lengthOf(line) < before) return;
  const [heaviest] = [...line.values()].sort((a, b) => b.length - a.length);
  if (heaviest && heaviest.length > (line.get(newcomer)?.length ?? 0) + 1) {
    heaviest.pop()?.turnAway('others of this address wait already');
  }
}

const lengthOf = (line: Line): number => line.values().reduce((sum, waiters) => sum + waiters.length, 0);
