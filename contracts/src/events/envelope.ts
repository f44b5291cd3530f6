import { z } from 'zod';
import { word } from '../base/domains.ts';
import { eventIdOf } from '../base/ids.ts';
import { Time } from '../base/time.ts';

/**
 * The fields that every event has around its data. `type` names the fact and the version of its shape
 * (`OrderPlaced.v1`); that string is the same in code, in the store and on every wire.
 */
export type Envelope<T extends string = string, D = unknown> = {
  /** Follows from the commit's id and the event's index in it. */
  id: string;
  type: T;
  /** RFC 3339 UTC with milliseconds, always 24 characters, so that times compare as text. */
  time: string;
  /** Who caused it: `client:<id>`, `operator:<id>`, or `system:<role>`. */
  actor: string;
  /** Id of the request or system task that began the chain of causes. */
  correlationId: string;
  /** Id of the event or request that caused this event directly; for a book output the id of its input. */
  causationId: string;
  /** W3C trace context of the cause, sampled or not. */
  traceparent: string;
  /** The command's Idempotency-Key and the hash of its body; only on the first event of the command's commit. */
  key?: { id: string; hash: string };
  /** Set on the last event of a commit when the same input has further outputs in the next commit. */
  more?: true;
  data: D;
};

/** The schema of a whole event. Documents, fixtures and audits use it; the read path trusts what was written. */
export const envelope = <T extends string, D extends z.ZodType>(type: T, data: D) =>
  z.strictObject({
    id: z.uuid(),
    type: z.literal(type),
    time: Time,
    actor: z.string().regex(/^(client|operator|system):[\w-]+$/),
    correlationId: z.uuid(),
    causationId: z.uuid(),
    traceparent: z.string().regex(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/),
    key: z.strictObject({ id: z.uuid(), hash: word(100) }).optional(),
    more: z.literal(true).optional(),
    data,
  });

/** What caused the events of a commit: the envelope fields that they share. */
export type Cause = {
  time: string;
  actor: string;
  correlationId: string;
  causationId: string;
  traceparent: string;
  key?: { id: string; hash: string } | undefined;
};

/**
 * Makes events of facts (type and data): wraps each in an envelope. The events belong to the commit `commitId`, from
 * index `from` on; a commit whose events have different causes is sealed in several calls.
 */
export function seal<F extends { type: string; data: unknown }>(
  commitId: string,
  cause: Cause,
  facts: readonly F[],
  from = 0,
): (F & Envelope<F['type'], F['data']>)[] {
  return facts.map((fact, index) => {
    const event = {
      id: eventIdOf(commitId, from + index),
      type: fact.type,
      time: cause.time,
      actor: cause.actor,
      correlationId: cause.correlationId,
      causationId: cause.causationId,
      traceparent: cause.traceparent,
      ...(from + index === 0 && cause.key ? { key: cause.key } : {}),
      data: fact.data,
    };
    return event as F & Envelope<F['type'], F['data']>;
  });
}
