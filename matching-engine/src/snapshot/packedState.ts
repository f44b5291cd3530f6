import assert from 'node:assert/strict';
import { type Book, rest, sideOf } from '../book/book.ts';
import { isOther, putWords } from '../book/ids.ts';
import { enqueue } from '../book/levels.ts';
import { FLAGS_MASK, sortedBy } from '../book/orders.ts';
import {
  ACCOUNT,
  ARRIVAL,
  ARRIVAL_HIGH,
  FLAGS,
  ID,
  LEAVES,
  LEVEL,
  NONE,
  PRICE,
  QUANTITY,
  REVISION,
  ROW_WORDS,
} from '../book/rows.ts';
import type { Engine } from '../rules/engine.ts';
import { type BesideOrders, besideOrders, restoreBesideOrders } from './snapshot.ts';

/**
 * The stored form of an engine's state: a text with the short values, the book's orders as packed numbers (a million
 * orders would be 130 MB of text), and long lists as pieces of text. Packing runs in steps of about a millisecond. The
 * first step fixes the state: changes between later steps are not in it. A snapshot of another `SNAPSHOT_VERSION` is
 * not read.
 */
export const SNAPSHOT_KIND = 'book';
export const SNAPSHOT_VERSION = 8;

export type PackedState = { state: string; parts: Uint8Array<ArrayBuffer>[] };

/** The first `numbers` parts hold orders; each further part holds rows of one list. */
type Text = { engine: Partial<BesideOrders>; numbers: number; lists: Lists };
type Lists = Record<string, unknown[]>;
type Names = { accounts: string[]; otherIds: [number: number, id: string][] };

/** The blocks packed in a step, into one part: about 4,000 orders, 200 KB. */
const BLOCKS_PER_STEP = 4;

/** The words of a row that are stored; links are rebuilt. Little-endian, like every machine that this runs on. */
const ID_WORDS = [ID, ID + 1, ID + 2, ID + 3];
const STORED_WORDS = [...ID_WORDS, ACCOUNT, REVISION, PRICE, FLAGS, QUANTITY, LEAVES, ARRIVAL, ARRIVAL_HIGH];
const STORED_ROW_WORDS = STORED_WORDS.length;

/** Packs the state in steps. Running to the end or returning early releases the shared rows of the book. */
export function* packing(engine: Engine): Generator<void, PackedState> {
  const { orders } = engine.book;
  const { text, lists } = separateLists({ ...besideOrders(engine), ...orders.names() });
  const { blocks, block, release } = orders.rows.share();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let released = 0;
  try {
    yield;
    while (released < blocks) {
      const step: Int32Array[] = [];
      for (let at = released; at < Math.min(blocks, released + BLOCKS_PER_STEP); at++) step.push(block(at));
      const part = packed(step);
      if (part.byteLength > 0) parts.push(part);
      for (const _ of step) release();
      released += step.length;
      yield;
    }
  } finally {
    for (; released < blocks; released++) release();
  }
  const numbers = parts.length;
  const short: Lists = {};
  for (const [name, rows] of Object.entries(lists)) {
    if (rows.length <= ROWS_PER_STEP) short[name] = rows;
    else yield* inPieces(name, rows, parts);
  }
  return { state: `{"engine":${text},"numbers":${numbers},"lists":${JSON.stringify(short)}}`, parts };
}

/** The short values as text, and the lists, which may be long. The lists are copies, so they can be written later. */
function separateLists(state: BesideOrders & Names): { text: string; lists: Lists } {
  const lists: Lists = {};
  const short: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(state)) {
    if (Array.isArray(value)) lists[name] = value;
    else short[name] = value;
  }
  return { text: JSON.stringify(short), lists };
}

const ROWS_PER_STEP = 1_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

function* inPieces(name: string, rows: unknown[], parts: Uint8Array[]): Generator<void> {
  for (let from = 0; from < rows.length; from += ROWS_PER_STEP) {
    const piece: Lists = { [name]: rows.slice(from, from + ROWS_PER_STEP) };
    parts.push(encoder.encode(JSON.stringify(piece)));
    yield;
  }
}

function listsOf({ lists }: Text, pieces: readonly Uint8Array[]): Lists {
  for (const piece of pieces) {
    for (const [name, rows] of Object.entries(JSON.parse(decoder.decode(piece)) as Lists)) {
      const list = (lists[name] ??= []);
      for (const row of rows) list.push(row);
    }
  }
  return lists;
}

/** The stored words of all orders in these blocks. */
function packed(blocks: readonly Int32Array[]): Uint8Array<ArrayBuffer> {
  const words = new Int32Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let to = 0;
  for (const rows of blocks) {
    for (let at = 0; at < rows.length; at += ROW_WORDS) {
      if (rows[at + LEVEL] === NONE || (rows[at + ARRIVAL] === 0 && rows[at + ARRIVAL_HIGH] === 0)) continue;
      for (const word of STORED_WORDS) words[to++] = rows[at + word] as number;
    }
  }
  return new Uint8Array(words.buffer.slice(0, to * 4));
}

/** The engine with this stored state. Throws `UnknownMatchingRules` if the symbol follows rules that this engine lacks. */
export function unpacked({ state, parts = [] }: { state: string; parts?: readonly Uint8Array[] }): Engine {
  const text = JSON.parse(state) as Text;
  const lists = listsOf(text, parts.slice(text.numbers));
  const { accounts, otherIds, ...beside } = { ...text.engine, ...lists } as BesideOrders & Names;
  const engine = restoreBesideOrders(beside);
  const stored = joined(parts.slice(0, text.numbers));
  const count = stored.length / STORED_ROW_WORDS;
  assert(Number.isSafeInteger(count), 'an order is cut off');
  const rows = new Float64Array(count);
  for (let row = 0; row < count; row++) rows[row] = row;
  const arrival = (row: number): number => {
    const at = row * STORED_ROW_WORDS + STORED_WORDS.indexOf(ARRIVAL);
    return (stored[at + 1] as number) * 2 ** 32 + ((stored[at] as number) >>> 0);
  };
  engine.book.orders.reserve(count);
  const names = { accounts, otherIds: new Map(otherIds) };
  for (const row of sortedBy(rows, arrival)) putBack(engine.book, stored, row * STORED_ROW_WORDS, names);
  return engine;
}

function joined(parts: readonly Uint8Array[]): Int32Array {
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return new Int32Array(bytes.buffer);
}

/** Adds an order to the book again. Its words are in the order of `STORED_WORDS`. */
function putBack(
  book: Book,
  stored: Int32Array,
  at: number,
  { accounts, otherIds }: { accounts: readonly string[]; otherIds: ReadonlyMap<number, string> },
): void {
  const word = (offset: number): number => stored[at + offset] as number;
  const sideAndFlags = word(7);
  const side = sideAndFlags < 0 ? 'buy' : 'sell';
  const accountId = accounts[word(4)] as string;
  const order = {
    revision: word(5),
    side,
    priceTicks: word(6),
    flags: sideAndFlags & FLAGS_MASK,
    quantity: word(8),
    leaves: word(9),
  } as const;
  if (isOther(word(1))) {
    rest(book, { ...order, accountId, id: otherIds.get(word(0)) as string });
    return;
  }
  putWords(word(0), word(1), word(2), word(3));
  assert(book.orders.findRead() === NONE, 'an order is there twice');
  enqueue(sideOf(book, side), book.orders.addRead(order, book.orders.accounts.take(accountId)));
}
