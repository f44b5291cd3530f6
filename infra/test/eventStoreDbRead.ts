import { once } from 'node:events';
import { type ServerWritableStream, status } from '@grpc/grpc-js';
import type { EventLog, LogRecord } from './eventStoreDbLog.ts';
import {
  caughtUp,
  checkpoint,
  confirmation,
  type ReadReq,
  type ReadResp,
  readEvent,
  streamNotFound,
} from './eventStoreDbMessages.ts';

/** `Streams.Read`: streams and everything, forwards and backwards, once or for ever, filtered or not. */
export type ReadCall = ServerWritableStream<ReadReq, ReadResp>;

/** A server reads its log in pages of so many events, unless it is told otherwise. */
const DEFAULT_WINDOW = 32;

export function readOnce(log: EventLog, call: ReadCall): Promise<void> {
  const options = call.request.getOptions();
  const count = Number(options?.getCount());
  const backwards = options?.getReadDirection() === 1;
  const ofStream = options?.getStream();
  if (ofStream) {
    const name = Buffer.from(ofStream.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString();
    const records = log.stream(name);
    if (records.length === 0) return answer(call, [streamNotFound(name)]);
    const from = ofStream.hasRevision() ? Number(ofStream.getRevision()) : 0;
    const found = backwards
      ? records.slice(0, ofStream.hasRevision() ? from + 1 : undefined).toReversed()
      : records.slice(from);
    return answer(call, found.slice(0, count).map(readEvent));
  }
  const all = options?.getAll();
  const position = all?.hasPosition() ? Number(all.getPosition()?.getCommitPosition()) : null;
  if (position !== null && !log.isBoundary(position)) return refuse(call);
  const found = backwards
    ? log.records.slice(0, all?.hasEnd() ? undefined : firstFrom(log.records, position ?? 0)).toReversed()
    : log.records.slice(firstFrom(log.records, position ?? 0));
  return answer(call, found.slice(0, count).map(readEvent));
}

/** What a test may do to a subscription, and see of it. */
export type Tap = { isSilent(): boolean; onEvent(): void };

/**
 * Catches up in pages of the search window, then says so, then goes on as the log grows. A checkpoint while catching
 * up is where the last page began: the place of a record, not of an event given.
 */
export async function subscribe(log: EventLog, call: ReadCall, id: string, tap: Tap): Promise<void> {
  const options = call.request.getOptions();
  const all = options?.getAll();
  const filter = options?.getFilter();
  const isWanted = filterOf(call.request);
  const window = filter?.hasMax() ? filter.getMax() : DEFAULT_WINDOW;
  const interval = filter ? window * filter.getCheckpointintervalmultiplier() : Number.POSITIVE_INFINITY;
  const after = all?.hasPosition() ? Number(all.getPosition()?.getCommitPosition()) : null;
  if (after !== null && !log.isBoundary(after)) return refuse(call);
  let next = all?.hasEnd() ? log.records.length : firstFrom(log.records, after === null ? 0 : after + 1);
  let wake: () => void = () => undefined;
  const leave = log.onAppend(() => wake());
  call.on('cancelled', () => wake());
  let considered = 0;
  let isLive = false;
  let marked: [number, number] | null = null;
  try {
    await send(call, tap, confirmation(id));
    while (!call.cancelled) {
      const page = log.records.slice(next, next + (isLive ? 1 : window));
      const [first] = page;
      if (!first) {
        if (!isLive) {
          if (filter && marked) await send(call, tap, checkpoint(...marked));
          await send(call, tap, caughtUp());
          isLive = true;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (call.cancelled || next < log.records.length) resolve();
        });
        continue;
      }
      next += page.length;
      marked = [first.position, 0];
      for (const record of page) {
        if (!isWanted(record)) continue;
        tap.onEvent();
        await send(call, tap, readEvent(record));
        marked = [record.position, record.position];
      }
      considered += page.length;
      if (considered >= interval) {
        considered %= interval;
        await send(call, tap, checkpoint(...(isLive ? ([first.position, first.position] as const) : marked)));
      }
    }
  } finally {
    leave();
  }
}

function filterOf(request: ReadReq): (record: LogRecord) => boolean {
  const filter = request.getOptions()?.getFilter();
  if (!filter) return () => true;
  const onType = filter.hasEventType();
  const expression = onType ? filter.getEventType() : filter.getStreamIdentifier();
  const regex = expression?.getRegex() ? new RegExp(expression.getRegex()) : null;
  const prefixes = expression?.getPrefixList() ?? [];
  return (record) => {
    const name = onType ? record.type : record.stream;
    return regex ? regex.test(name) : prefixes.some((prefix) => name.startsWith(prefix));
  };
}

/** Index of the first record at or after the position. */
function firstFrom(records: readonly LogRecord[], position: number): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((records[middle]?.position ?? 0) >= position) high = middle;
    else low = middle + 1;
  }
  return low;
}

async function send(call: ReadCall, tap: Tap, message: ReadResp): Promise<void> {
  if (tap.isSilent()) await once(call, 'cancelled');
  if (!call.cancelled && !call.destroyed && !call.write(message)) await roomIn(call);
}

async function answer(call: ReadCall, messages: readonly ReadResp[]): Promise<void> {
  for (const message of messages) {
    if (call.cancelled) return;
    if (!call.write(message)) await roomIn(call);
  }
  call.end();
}

/** Until the client takes more, or goes. */
function roomIn(call: ReadCall): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      call.off('drain', go).off('cancelled', go);
      resolve();
    };
    call.once('drain', go).once('cancelled', go);
  });
}

async function refuse(call: ReadCall): Promise<void> {
  const details = 'Trying to read from an invalid position.';
  call.emit('error', { code: status.INVALID_ARGUMENT, details, message: details });
}
