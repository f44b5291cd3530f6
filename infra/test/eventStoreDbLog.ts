import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/**
 * The log of the tests' EventStoreDB. It decides on appends as the real one does; its positions are places in bytes, and some
 * records between the events are hidden from readers. With a file it outlives its process: every acknowledged event is in it.
 */
export type LogRecord = {
  /** The place of its first byte in the log. */
  position: number;
  /** Where the next record begins. */
  end: number;
  stream: string;
  revision: number;
  id: string;
  type: string;
  contentType: string;
  data: Uint8Array;
  metadata: Uint8Array;
  createdMs: number;
};

export type NewEvent = Pick<LogRecord, 'id' | 'type' | 'contentType' | 'data' | 'metadata'>;
export type Expected = number | 'any' | 'stream_exists';
export type Appended =
  | { is: 'ok' | 'idempotent'; lastRevision: number; position: number }
  | { is: 'wrong'; current: number };

export type EventLog = ReturnType<typeof eventLog>;

export const MAX_APPEND_BYTES = 1_048_576;
/** Bytes of a record beside its contents. */
const OVERHEAD_BYTES = 64;
/** After every so many records comes a hidden one. */
const EVERY_HIDDEN = 5;
const HIDDEN_BYTES = 37;

export function eventLog({ file }: { file?: string } = {}) {
  const records: LogRecord[] = [];
  const streams = new Map<string, LogRecord[]>();
  const boundaries = new Set<number>([0]);
  const listeners = new Set<() => void>();
  let end = 0;

  const kept: string[] = [];
  const keep = () => {
    if (file && kept.length > 0) appendFileSync(file, `${kept.join('\n')}\n`);
    kept.length = 0;
  };

  const write = (stream: string, event: NewEvent, createdMs = Date.now()) => {
    const size =
      OVERHEAD_BYTES + stream.length + event.type.length + event.data.length + event.metadata.length;
    const own = streams.get(stream) ?? [];
    const record = {
      ...event,
      stream,
      revision: own.length,
      position: end,
      end: end + size,
      createdMs,
    };
    records.push(record);
    own.push(record);
    streams.set(stream, own);
    boundaries.add(record.position).add(record.end);
    end = record.end;
    if (records.length % EVERY_HIDDEN === 0) {
      end += HIDDEN_BYTES;
      boundaries.add(end);
    }
    return record;
  };

  const append = (stream: string, expected: Expected, events: readonly NewEvent[]): Appended => {
    const own = streams.get(stream) ?? [];
    const current = own.length - 1;
    const ok = (): Appended => {
      for (const event of events) kept.push(lineOf(stream, event, write(stream, event).createdMs));
      keep();
      for (const listener of listeners) listener();
      return {
        is: 'ok',
        lastRevision: own.length === 0 ? events.length - 1 : current + events.length,
        position: lastOf(stream),
      };
    };
    if (expected === 'any') return ok();
    if (expected === 'stream_exists') return current >= 0 ? ok() : { is: 'wrong', current };
    if (expected === current) return ok();
    const standing = own.slice(expected + 1, expected + 1 + events.length);
    if (expected < current && events.every(({ id }, i) => standing[i]?.id === id)) {
      const last = standing.at(-1);
      return { is: 'idempotent', lastRevision: last?.revision ?? expected, position: last?.position ?? 0 };
    }
    return { is: 'wrong', current };
  };
  const lastOf = (stream: string) => streams.get(stream)?.at(-1)?.position ?? 0;

  // A server writes events of its own before anybody comes; here the same at every start.
  for (const stream of ['$$$settings', '$users', '$user-admin', '$epoch-information']) {
    write(stream, {
      id: '00000000-0000-4000-8000-000000000000',
      type: '$system',
      contentType: 'application/json',
      data: Buffer.from('{}'),
      metadata: new Uint8Array(0),
    });
  }

  for (const line of file && existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []) {
    // The last one may have been cut off with its process: nobody was replied to.
    if (line.endsWith('}')) {
      const { stream, createdMs, data, metadata, ...rest } = JSON.parse(line) as Line;
      const event = { ...rest, data: Buffer.from(data, 'base64'), metadata: Buffer.from(metadata, 'base64') };
      write(stream, event, createdMs);
    }
  }

  return {
    records: records as readonly LogRecord[],
    stream: (name: string): readonly LogRecord[] => streams.get(name) ?? [],
    append,
    /** Whether a record, of whatever kind, begins or ends there. */
    isBoundary: (position: number) => position >= end || boundaries.has(position),
    onAppend(listener: () => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

type Line = Pick<NewEvent, 'id' | 'type' | 'contentType'> & {
  stream: string;
  createdMs: number;
  data: string;
  metadata: string;
};

function lineOf(stream: string, event: NewEvent, createdMs: number): string {
  const { id, type, contentType } = event;
  const data = Buffer.from(event.data).toString('base64');
  const metadata = Buffer.from(event.metadata).toString('base64');
  return JSON.stringify({ stream, createdMs, id, type, contentType, data, metadata } satisfies Line);
}
