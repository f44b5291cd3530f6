/**
 * The CRC-32C (Castagnoli) of bytes, which Kafka's batches carry; Node has only the other CRC-32. It takes eight bytes a step,
 * by eight tables (slicing-by-8), which is twice as fast as one byte a step.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1;
  let at = start;
  for (const last = end - 8; at <= last; at += 8) {
    const low = crc ^ word(bytes, at);
    const high = word(bytes, at + 4);
    crc =
      entry(7, low) ^
      entry(6, low >>> 8) ^
      entry(5, low >>> 16) ^
      entry(4, low >>> 24) ^
      entry(3, high) ^
      entry(2, high >>> 8) ^
      entry(1, high >>> 16) ^
      entry(0, high >>> 24);
  }
  for (; at < end; at++) crc = entry(0, crc ^ (bytes[at] as number)) ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}

const POLYNOMIAL = 0x82f63b78;
/** Table n begins at n × 256: what a byte does to the sum when n more bytes follow it. */
const TABLES = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  TABLES[byte] = crc;
}
for (let i = 256; i < TABLES.length; i++) {
  const before = TABLES[i - 256] as number;
  TABLES[i] = (TABLES[before & 0xff] as number) ^ (before >>> 8);
}

const entry = (table: number, byte: number): number => TABLES[table * 256 + (byte & 0xff)] as number;

const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at] as number) |
  ((bytes[at + 1] as number) << 8) |
  ((bytes[at + 2] as number) << 16) |
  ((bytes[at + 3] as number) << 24);
