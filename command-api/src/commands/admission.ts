import { networkOf, type Runtime } from '@brokerx/infra';
import { flightLimit } from './flightLimit.ts';

/**
 * Bounds how much is in flight at once. Requests beyond the bounds are refused early (503, Retry-After), so that accepted
 * requests stay fast and memory stays bounded. Cancels have head-room of their own: they make the load smaller.
 *
 * The bounds and the figures at `/metrics` are those of one process: each process counts the orders that it accepted.
 * Two processes therefore let twice as many orders wait for an engine that stands still.
 */
export type Admission = {
  /** Admits a request, or returns false: too much is in flight. Each admitted request must `leave` exactly once. */
  enter(request: Incoming): boolean;
  /** Ends a request: it was answered, or its client has gone. */
  leave(request: Incoming, answered: boolean): void;
  /** Says why no request is answered any more; null while requests are answered. */
  standstill(): string | null;
  /** Whether the engine is keeping up well enough for another order of the symbol. */
  admitsOrder(symbol: string): boolean;
  /** Counts a durable order that the engine has not answered. */
  placed(orderId: string, symbol: string): void;
  /** Ends the count of an order: the engine accepted or rejected it. */
  answered(orderId: string): void;
  stats(): { requests: number; bytes: number; unanswered: number; limit: number };
  close(): void;
};

export type Incoming = {
  /** Size of the body. */
  bytes: number;
  /** Whether the request cancels orders, which makes the load smaller. */
  cancels: boolean;
  /** IP address of the client. */
  address: string;
};

/** Head-room for cancels, and the most for one network, both as shares of what may be in flight. */
const CANCELS_EXTRA = 1 / 4;
const ADDRESS_SHARE = 1 / 2;
/** Longer than any request takes: if none of many is answered in this time, something is broken. */
export const STANDSTILL_MS = 10_000;
/** Bodies and what is parsed from them, some tens of MB of heap at worst. */
export const BYTES_IN_FLIGHT_MAX = 16 * 1024 * 1024;
/** Orders accepted and not answered by the engine: a few seconds of its work. */
export const UNANSWERED_ORDERS_MAX = 10_000;
/**
 * Answers to orders that this process does not know yet: orders that other processes accepted and, seldom, an own order
 * whose answer was read before its append replied. A tenth of a second of full load.
 */
const EARLY_ANSWERS_MAX = 1_000;
/** Unanswered orders of one symbol: an engine that stands still leaves room for the others. */
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
