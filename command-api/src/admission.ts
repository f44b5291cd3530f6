/**
 * Admission: how much may be on its way at once. What is beyond is refused early (503, Retry-After), so that what is
 * accepted stays fast and memory stays bounded. Cancels have head-room of their own: they make things smaller.
 *
 * The bounds are those of one process, and so are the figures at `/metrics`: each counts the orders that it accepted
 * itself, wherever they are answered. Two processes let twice as many wait for an engine that stands still.
 */
export type Admission = {
  /** False: too much is in flight. A true one is followed by exactly one `leave` with the same bytes. */
  enter(request: { bytes: number; cancels: boolean }): boolean;
  leave(bytes: number): void;
  /** Whether the engine is keeping up well enough for another order of the symbol. */
  admitsOrder(symbol: string): boolean;
  /** An order is durable and the engine has not answered it. */
  placed(orderId: string, symbol: string): void;
  /** The engine accepted or rejected it. */
  answered(orderId: string): void;
  stats(): { requests: number; bytes: number; unanswered: number };
};

/** Each waits for one group commit; 2,000 are about half a second of full load. */
export const REQUESTS_IN_FLIGHT_MAX = 2_000;
export const CANCELS_EXTRA_MAX = 500;
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

export function admissionControl(): Admission {
  const unanswered = new Map<string, string>();
  const bySymbol = new Map<string, number>();
  const early = new Set<string>();
  let requests = 0;
  let bytes = 0;
  return {
    enter(request) {
      const room = REQUESTS_IN_FLIGHT_MAX + (request.cancels ? CANCELS_EXTRA_MAX : 0);
      if (requests >= room || (!request.cancels && bytes + request.bytes > BYTES_IN_FLIGHT_MAX)) return false;
      requests += 1;
      bytes += request.bytes;
      return true;
    },
    leave(size) {
      requests -= 1;
      bytes -= size;
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
    stats: () => ({ requests, bytes, unanswered: unanswered.size }),
  };
}
