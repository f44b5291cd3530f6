import { crc32 } from 'node:zlib';
import type { Snapshot, SnapshotKey } from './snapshots.ts';

/**
 * CRC-32 of a snapshot's state and its place: a row that was cut, changed or put under another key does not match. It guards
 * against damage, not against intent, and costs a fraction of a millisecond for a mebibyte.
 */
export const stateChecksum = (key: SnapshotKey, snapshot: Snapshot): number =>
  crc32(snapshot.state, placeChecksum(key, snapshot));

/** The checksum of one part: each part is written, and therefore checked, by itself. */
export const partChecksum = (key: SnapshotKey, snapshot: Snapshot, part: number, bytes: Uint8Array): number =>
  crc32(bytes, crc32(String(part), placeChecksum(key, snapshot)));

const placeChecksum = (
  { kind, key, version }: SnapshotKey,
  { cursor, revision, parts = [] }: Snapshot,
): number =>
  crc32(JSON.stringify([kind, key, version, cursor.storeId, cursor.position, revision, parts.length]));
