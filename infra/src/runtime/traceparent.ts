import type { Runtime } from './runtime.ts';

/**
 * W3C trace context, parsed and minted by ourselves, so that every event carries one whether or not anything
 * collects traces: `00-<trace id, 32 hex>-<span id, 16 hex>-<flags, 2 hex>`.
 */
export type TraceContext = { traceId: string; spanId: string; sampled: boolean };

const form = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);
const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
/** Bytes of a time in milliseconds in a UUID of version 7. */
const TIME_BYTES = 6;

/** Null for anything but a valid version 00 header: an all-zero id is invalid too. */
export function parseTraceparent(header: string | undefined): TraceContext | null {
  if (header === undefined) return null;
  const [, traceId = NO_TRACE, spanId = NO_SPAN, flags = '00'] = form.exec(header) ?? [];
  if (traceId === NO_TRACE || spanId === NO_SPAN) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/**
 * The beginning of a trace. The trace id is a UUID of version 7 (RFC 9562 §5.7) without its dashes, which serves as the id of
 * the request, and the span id is its second half: whoever stores both stores one.
 */
export function mintTraceparent(runtime: Runtime): string {
  const bytes = Buffer.from(runtime.randomBytes(TRACE_ID_BYTES));
  bytes.writeUIntBE(runtime.nowMs(), 0, TIME_BYTES);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const traceId = hex(bytes);
  return formatTraceparent({ traceId, spanId: traceId.slice(SPAN_ID_BYTES * 2), sampled: true });
}

/** A step within the trace of `parent`; the beginning of one when the parent is absent or not valid. */
export function childTraceparent(runtime: Runtime, parent: string | undefined): string {
  const context = parseTraceparent(parent);
  if (!context) return mintTraceparent(runtime);
  return formatTraceparent({ ...context, spanId: hex(runtime.randomBytes(SPAN_ID_BYTES)) });
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
