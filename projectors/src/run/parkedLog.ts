import type { Log, Runtime } from '@brokerx/infra';
import type { ParkedEvent } from './advance.ts';
import { keyOf, type TableProjection } from './projection.ts';

/**
 * Milliseconds between two log lines about a projection's parked events, which may be thousands. The first is logged at once;
 * those in between are counted.
 */
const PARKED_LOG_EVERY_MS = 10_000;

export type ParkedLog = {
  tell(projection: TableProjection, parked: readonly ParkedEvent[]): void;
  /** Logs the counts that no line has mentioned yet. */
  close(): void;
};

export function parkedLog(log: Log, runtime: Runtime): ParkedLog {
  const counted = new Map<string, { count: number; last: ParkedEvent; cancel: () => void }>();

  const say = (projection: string, count: number, { recorded, error: err }: ParkedEvent) => {
    const about = { err, projection, events: count, position: recorded.position, event: recorded.event.id };
    log.error(
      about,
      'an event cannot be folded and is left out of this projection: see GET /v1/parked-events',
    );
  };
  const tellAgain = (key: string) => {
    const one = counted.get(key);
    if (!one) return;
    counted.delete(key);
    if (one.count === 0) return;
    say(key, one.count, one.last);
    rest(key, one.last);
  };
  const rest = (key: string, last: ParkedEvent) => {
    const cancel = runtime.setTimer(PARKED_LOG_EVERY_MS, () => tellAgain(key));
    counted.set(key, { count: 0, last, cancel });
  };

  return {
    tell(projection, parked) {
      const last = parked.at(-1);
      if (!last) return;
      const key = keyOf(projection);
      const one = counted.get(key);
      if (one) {
        Object.assign(one, { count: one.count + parked.length, last });
        return;
      }
      say(key, parked.length, last);
      rest(key, last);
    },
    close() {
      for (const [key, { count, last, cancel }] of counted) {
        cancel();
        if (count > 0) say(key, count, last);
      }
      counted.clear();
    },
  };
}
