import assert from 'node:assert/strict';
import { hash } from 'node:crypto';

/**
 * Makes and reads ids, which are UUIDs (RFC 9562). A minted id has version 7 (§5.7) and sorts by time. A derived id
 * has version 5 (§5.5, SHA-1 of a namespace and a name): the same names always give the same id.
 */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export const isUuid = (text: string): boolean => UUID.test(text);

/** The time in a version 7 UUID, in milliseconds since the Unix epoch; undefined for other versions. */
export const uuidV7TimeMs = (id: string): number | undefined =>
  id[14] === '7' ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined;

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
