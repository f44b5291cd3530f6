import { type BookEvent, type BookFact, bookStream, type Event, mintId, seal } from '@brokerx/contracts';
import { type Commit, EVENTS_PER_COMMIT_MAX, type Runtime } from '@brokerx/infra';
import type { PlacedInput } from '../rules/engine.ts';

/**
 * Packs the outputs of consecutive inputs into commits on `book-<symbol>`. A commit stays open until it is taken or
 * full. The outputs of one input go into one commit, unless they are more than a commit holds: then they are cut into
 * several, and `more` is set on the last event of each but the last.
 */
export type Outputs = {
  /** Adds an input's outputs, all at `time`, to the open commit. Returns the commits that became full. */
  add(input: PlacedInput, facts: readonly BookFact[], time: string): PackedCommit[];
  /** Closes the open commit and returns it; null when it is empty. */
  take(): PackedCommit | null;
  /** The revision of the book's last event, the open commit included. */
  revision(): number;
};

export type PackedCommit = {
  commit: Commit<Event>;
  /** The number of inputs whose last output is in this commit. */
  inputs: number;
  /** The trace contexts of the first inputs, which the commit's span links to. */
  traceparents: string[];
  /** The revision of the last event. */
  revision: number;
};

/** The most links of a span: tracing drops further ones. */
const TRACED_INPUTS_MAX = 128;

export const ENGINE_ACTOR = 'system:engine';

/** `revision` is that of the last event in the book's stream, or -1 if there is none. */
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
