import { type BookEvent, type BookFact, bookStream, type Event, mintId, seal } from '@brokerx/contracts';
import { type Commit, EVENTS_PER_COMMIT_MAX, type Runtime } from '@brokerx/infra';
import type { PlacedInput } from '../rules/engine.ts';

/**
 * Packs the outputs of consecutive inputs into commits on `book-<symbol>`. A commit is open until it is taken;
 * the outputs of one input never straddle two commits, unless they are more than a commit holds: then they are
 * cut, and the last event of every piece but the last says that there is more.
 */
export type Outputs = {
  /** Puts an input's outputs, all at `time`, into the open commit; returns the commits that became full. */
  add(input: PlacedInput, facts: readonly BookFact[], time: string): PackedCommit[];
  /** Closes the open commit and gives it; null when nothing is in it. */
  take(): PackedCommit | null;
  /** Revision of the book's last event, those of the open commit included. */
  revision(): number;
};

export type PackedCommit = {
  commit: Commit<Event>;
  /** Inputs that have their last output in it. */
  inputs: number;
  /** Trace contexts of its first inputs, as many as a span is linked with. */
  traceparents: string[];
  /** Revision of its last event. */
  revision: number;
};

/** What tracing keeps of a batch. */
const TRACED_INPUTS_MAX = 128;

export const ENGINE_ACTOR = 'system:engine';

/** `revision` is that of the last event in the book's stream, or -1. */
export function packOutputs(symbol: string, revision: number, runtime: Runtime): Outputs {
  const stream = bookStream(symbol);
  let stored = revision;
  let id = mintId(runtime);
  let events: BookEvent[] = [];
  let inputs = 0;
  let traceparents: string[] = [];

  const take = (): PackedCommit | null => {
    if (events.length === 0) return null;
    const commit = { id, stream, expectedRevision: stored, chained: true, symbol: null, events };
    stored += events.length;
    const packed = { commit, inputs, traceparents, revision: stored };
    id = mintId(runtime);
    events = [];
    inputs = 0;
    traceparents = [];
    return packed;
  };

  return {
    take,
    revision: () => stored + events.length,
    add({ event: input }, facts, time) {
      const full: PackedCommit[] = [];
      const close = () => {
        const packed = take();
        if (packed) full.push(packed);
      };
      const cause = {
        time,
        actor: ENGINE_ACTOR,
        correlationId: input.correlationId,
        causationId: input.id,
        traceparent: input.traceparent,
      };
      if (events.length + facts.length > EVENTS_PER_COMMIT_MAX) close();
      if (traceparents.length < TRACED_INPUTS_MAX) traceparents.push(input.traceparent);
      for (let from = 0; from < facts.length; from += EVENTS_PER_COMMIT_MAX) {
        if (from > 0) {
          const last = events.at(-1);
          if (last) last.more = true;
          close();
        }
        const piece = facts.slice(from, from + EVENTS_PER_COMMIT_MAX);
        for (const event of seal(id, cause, piece, events.length)) events.push(event);
      }
      inputs += 1;
      return full;
    },
  };
}
