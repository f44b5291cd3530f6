import assert from 'node:assert/strict';
import { hash } from 'node:crypto';

/**
 * Makes and reads ids, which are UUIDs (RFC 9562). A minted id has version 7 (§5.7) and sorts by time. A derived id
 * has version 5 (§5.5, SHA-1 of a namespace and a name): the same names always give the same id. An event's id has
 * version 8 and costs no hash; older events have one of version 5.
 */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export const isUuid = (text: string): boolean => UUID.test(text);

/** The time in a version 7 UUID, in milliseconds since the Unix epoch; undefined for other versions. */
export const uuidV7TimeMs = (id: string): number | undefined =>
  id[14] === '7' ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined;

/**
 * The id of the event at this place (from 0, below `COMMIT_EVENTS_MAX`) of a commit: the commit's own, with the place in its
 * third group, and version 8 (§5.8). Commits of the same millisecond still differ in 62 random bits.
 */
export function eventIdOf(commitId: string, index: number): string {
  if (!(index < COMMIT_EVENTS_MAX)) assert.fail(`a commit has no event ${index}`);
  places[index] ??= `8${index.toString(16).padStart(3, '0')}`;
  return commitId.slice(0, 14) + places[index] + commitId.slice(18);
}

/** Places that three hexadecimal digits name. */
const COMMIT_EVENTS_MAX = 4_096;
const places: string[] = [];

/** The W3C trace context of a trace that begins with the request of this id. */
export function traceparentOf(requestId: string): string {
  const first = requestId.slice(0, 8) + requestId.slice(9, 13) + requestId.slice(14, 18);
  const second = secondHalf(requestId);
  return `00-${first}${second}-${second}-01`;
}

/** Whether this is the trace that begins with the request. */
export const beginsTrace = (requestId: string, traceparent: string): boolean =>
  traceparent.endsWith('-01') &&
  traceparent.startsWith(requestId.slice(24), 23) &&
  traceparentOf(requestId) === traceparent;

/** The last eight of a UUID's bytes as digits. */
const secondHalf = (id: string): string => id.slice(19, 23) + id.slice(24);

/** The id of the request with which the trace began here; undefined if it began elsewhere, or is a step further on. */
export function requestIdOf(traceparent: string): string | undefined {
  const digits = traceparent.slice(3, 35);
  const id = `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
  return id[14] === '7' && isUuid(id) && beginsTrace(id, traceparent) ? id : undefined;
}

/** A new id of version 7: 48 bits of time, the rest random. */
export function mintId(source: { nowMs(): number; randomBytes(count: number): Uint8Array }): string {
  const bytes = Buffer.allocUnsafe(16);
  bytes.set(source.randomBytes(10), 6);
  bytes.writeUIntBE(source.nowMs(), 0, 6);
  return format(bytes, 0x70);
}

/** The id of version 5 for this name within this namespace, which is itself an id. */
export function deriveId(namespace: string, name: string): string {
  if (namespace.length !== 36) assert.fail(`a namespace is a UUID, not ${namespace}`);
  const bytes = Buffer.allocUnsafe(16 + Buffer.byteLength(name));
  bytes.write(namespace.replaceAll('-', ''), 0, 'hex');
  bytes.write(name, 16);
  return format(hash('sha1', bytes, 'buffer').subarray(0, 16), 0x50);
}

function format(bytes: Buffer, version: number): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | version;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
