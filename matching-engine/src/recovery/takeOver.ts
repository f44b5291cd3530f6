import { type BookFact, bookStream, type Event, mintId, seal, timeOf } from '@brokerx/contracts';
import { type Appender, type EventStore, mintTraceparent, type Runtime } from '@brokerx/infra';
import { KNOWN_MATCHING_RULES } from '../rules/engine.ts';
import { ENGINE_ACTOR } from './outputs.ts';

/**
 * How an engine takes a book over: it fences whoever ran it before, with `EngineStarted` at the book's very end; from
 * then on nobody else can add to it.
 */
export type TakeOverOptions = { store: EventStore<Event>; appender: Appender<Event>; runtime: Runtime };

/** Under which right a symbol is taken over. */
export type Tenure = {
  /** Of the lease. */
  epoch: number;
  /** Whether the lease is still held, by the clock of this moment. */
  mayGoOn(): boolean;
};

/** A stranger that appends between our look and our append is met at most a few times. */
const TAKE_OVER_ATTEMPTS_MAX = 10;

/** The symbol is another process's by now, or nobody's. */
export class LeaseLost extends Error {
  override name = 'LeaseLost';
  constructor(symbol: string) {
    super(`the lease of the shard of ${symbol} was lost`);
  }
}

/**
 * Puts `EngineStarted` at the end of the book; returns its revision. A process that slept on the way must not fence
 * the one that has the shard by now, so it looks at its lease last.
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
    const started: BookFact = {
      type: 'EngineStarted.v1',
      data: { epoch, matchingRules: Math.max(...KNOWN_MATCHING_RULES) },
    };
    const cause = {
      time: timeOf(runtime.nowMs()),
      actor: ENGINE_ACTOR,
      correlationId: id,
      causationId: id,
      traceparent: mintTraceparent(runtime),
    };
    const events = seal(id, cause, [started]);
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
