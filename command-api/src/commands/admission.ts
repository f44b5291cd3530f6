import { networkOf, type Runtime } from '@brokerx/infra';
import { flightLimit } from './flightLimit.ts';

/**
 * Admission: how much may be on its way at once. What is beyond is refused early (503, Retry-After), so that what is
 * accepted stays fast and memory stays bounded. Cancels have head-room of their own: they make things smaller.
 *
 * The bounds are those of one process, and so are the figures at `/metrics`: each counts the orders that it accepted
 * itself, wherever they are answered. Two processes let twice as many wait for an engine that stands still.
 */
export type Admission = {
  /** False: too much is in flight. A true one is followed by exactly one `leave` of the same request. */
  enter(request: Incoming): boolean;
  /** It is over: answered, or its client has gone. */
  leave(request: Incoming, answered: boolean): void;
  /** Why nobody is answered any more; null while it goes on. */
  standstill(): string | null;
  /** Whether the engine is keeping up well enough for another order of the symbol. */
  admitsOrder(symbol: string): boolean;
  /** An order is durable and the engine has not answered it. */
  placed(orderId: string, symbol: string): void;
  /** The engine accepted or rejected it. */
  answered(orderId: string): void;
  stats(): { requests: number; bytes: number; unanswered: number; limit: number };
  close(): void;
};

export type Incoming = {
  /** Of its body. */
  bytes: number;
  /** Whether it makes things smaller. */
  cancels: boolean;
  /** Where its client is. */
  address: string;
};

/** Of what may be in flight, what cancels may have beyond it, and what one address may have of it. */
const CANCELS_EXTRA = 1 / 4;
const ADDRESS_SHARE = 1 / 2;
/** Longer than any request is worked on: in so long at least one of many is answered, or something is broken. */
export const STANDSTILL_MS = 10_000;
/** Bodies and what is parsed from them, some tens of MB of heap at worst. */
export const BYTES_IN_FLIGHT_MAX = 16 * 1024 * 1024;
/** Accepted and not answered by the engine: a few seconds of its work. */
export const UNANSWERED_ORDERS_MAX = 10_000;
/**
 * Answers to orders that this process does not know (yet): those that other processes accepted, and, seldom, one of
 * its own whose answer was read before the reply of its append. A tenth of a second of full load.
 */
const EARLY_ANSWERS_MAX = 1_000;
/** Of one symbol, so that one engine that stands still leaves room for the others. */
export const UNANSWERED_ORDERS_PER_SYMBOL_MAX = 6_000;

export function admissionControl(runtime: Pick<Runtime, 'setTimer' | 'monotonicMs'>): Admission {
  const unanswered = new Map<string, string>();
  const bySymbol = new Map<string, number>();
  const early = new Set<string>();
  const flight = flightLimit(runtime);
  const byNetwork = new Map<string, { requests: number; bytes: number }>();
  let requests = 0;
  let bytes = 0;
  /** When the first request was refused after the last one was answered. */
  let refusedSinceMs: number | null = null;

  const isFull = (cancels: boolean) => requests >= flight.value() * (1 + (cancels ? CANCELS_EXTRA : 0));
  const refuse = () => {
    refusedSinceMs ??= runtime.monotonicMs();
    return false;
  };
  return {
    enter({ bytes: size, cancels, address }) {
      if (isFull(cancels) || (!cancels && bytes + size > BYTES_IN_FLIGHT_MAX)) return refuse();
      const network = networkOf(address);
      const own = byNetwork.get(network) ?? { requests: 0, bytes: 0 };
      if (own.requests >= flight.value() * (ADDRESS_SHARE + (cancels ? CANCELS_EXTRA : 0))) return false;
      if (!cancels && own.bytes + size > BYTES_IN_FLIGHT_MAX * ADDRESS_SHARE) return false;
      byNetwork.set(network, { requests: own.requests + 1, bytes: own.bytes + size });
      requests += 1;
      bytes += size;
      flight.heed(requests);
      return true;
    },
    leave({ bytes: size, address }, answered) {
      const network = networkOf(address);
      const own = byNetwork.get(network);
      if (!own || own.requests === 1) byNetwork.delete(network);
      else byNetwork.set(network, { requests: own.requests - 1, bytes: own.bytes - size });
      requests -= 1;
      bytes -= size;
      flight.heed(requests);
      if (answered) refusedSinceMs = null;
    },
    standstill() {
      if (refusedSinceMs === null || !isFull(false)) return null;
      const ms = runtime.monotonicMs() - refusedSinceMs;
      return ms > STANDSTILL_MS
        ? `${requests} requests are in flight and none was answered for ${Math.floor(ms / 1_000)} s`
        : null;
    },
    admitsOrder: (symbol) =>
      unanswered.size < UNANSWERED_ORDERS_MAX &&
      (bySymbol.get(symbol) ?? 0) < UNANSWERED_ORDERS_PER_SYMBOL_MAX,
    placed(orderId, symbol) {
      if (early.delete(orderId)) return;
      unanswered.set(orderId, symbol);
      bySymbol.set(symbol, (bySymbol.get(symbol) ?? 0) + 1);
    },
    answered(orderId) {
      const symbol = unanswered.get(orderId);
      if (symbol === undefined) {
        early.add(orderId);
        if (early.size > EARLY_ANSWERS_MAX) for (const oldest of early.values().take(1)) early.delete(oldest);
        return;
      }
      unanswered.delete(orderId);
      bySymbol.set(symbol, (bySymbol.get(symbol) ?? 1) - 1);
    },
    stats: () => ({ requests, bytes, unanswered: unanswered.size, limit: flight.value() }),
    close: () => flight.close(),
  };
}
