import { hash } from 'node:crypto';

/** The UUID (version 5, RFC 9562 §5.5) of a name in a namespace, which is a UUID. The same name always has the same one. */
export function derivedId(namespace: string, name: string): string {
  const bytes = Buffer.concat([Buffer.from(namespace.replaceAll('-', ''), 'hex'), Buffer.from(name)]);
  return asUuid(hash('sha1', bytes, 'buffer').subarray(0, 16), 5);
}

/** Sixteen bytes as a UUID of this version. */
export function asUuid(bytes: Uint8Array, version: number): string {
  const marked = Buffer.from(bytes);
  marked[6] = ((marked[6] ?? 0) & 0x0f) | (version << 4);
  marked[8] = ((marked[8] ?? 0) & 0x3f) | 0x80;
  return marked.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
