import {
  type BookFact,
  bookStream,
  type Event,
  mintId,
  seal,
  timeOf,
  traceparentOf,
} from '@brokerx/contracts';
import type { Appender, EventStore, Runtime } from '@brokerx/infra';
import { KNOWN_MATCHING_RULES } from '../rules/engine.ts';
import { ENGINE_ACTOR } from './outputs.ts';

/**
 * Takes a book over: appends `EngineStarted` to it. That fences the engine before, whose next commit expects an older
 * revision and is refused.
 */
export type TakeOverOptions = { store: EventStore<Event>; appender: Appender<Event>; runtime: Runtime };

/** The lease under which a symbol is taken over. */
export type Tenure = {
  /** The lease's epoch. */
  epoch: number;
  /** Whether the lease is still held now. */
  mayGoOn(): boolean;
};

/** The engine before may append between our reading of the revision and our append, but only a few times. */
const TAKE_OVER_ATTEMPTS_MAX = 10;

/** The lease was lost: another process has the symbol, or will. */
export class LeaseLost extends Error {
  override name = 'LeaseLost';
  constructor(symbol: string) {
    super(`the lease of the shard of ${symbol} was lost`);
  }
}

/**
 * Appends `EngineStarted` to the book and returns its revision. It checks the lease right before the append: a process
 * that was suspended must not fence the one that owns the shard by now.
 */
export async function takeOver(
  { store, appender, runtime }: TakeOverOptions,
  symbol: string,
  { epoch, mayGoOn }: Tenure,
): Promise<number> {
  const stream = bookStream(symbol);
  for (let attempt = 1; attempt <= TAKE_OVER_ATTEMPTS_MAX; attempt++) {
    const expectedRevision = await store.streamRevision(stream);
    if (!mayGoOn()) throw new LeaseLost(symbol);
    const id = mintId(runtime);
    const engineStarted: BookFact = {
      type: 'EngineStarted.v1',
      data: { epoch, matchingRules: Math.max(...KNOWN_MATCHING_RULES) },
    };
    const cause = {
      time: timeOf(runtime.nowMs()),
      actor: ENGINE_ACTOR,
      correlationId: id,
      causationId: id,
      traceparent: traceparentOf(id),
    };
    const events = seal(id, cause, [engineStarted]);
    const verdict = await appender.append({
      id,
      stream,
      expectedRevision,
      chained: false,
      symbol: null,
      events,
    });
    if (verdict.verdict === 'ok' || verdict.verdict === 'duplicate') return verdict.revision;
  }
  throw new Error(`${stream}: somebody else kept writing during ${TAKE_OVER_ATTEMPTS_MAX} take-overs`);
}
