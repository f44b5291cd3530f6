import { closeSync, openSync, readSync } from 'node:fs';
import type { JournalEntry } from '../../journal.ts';

const CHUNK_BYTES = 1 << 20;

/** The entries of journals that the generator processes wrote, one after the other: all at once might not fit in memory. */
export function* entriesIn(files: readonly string[]): Generator<JournalEntry> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (const file of files) {
    const descriptor = openSync(file, 'r');
    try {
      let rest = '';
      for (let read = readSync(descriptor, chunk); read > 0; read = readSync(descriptor, chunk)) {
        const lines = (rest + chunk.toString('latin1', 0, read)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) yield JSON.parse(line) as JournalEntry;
      }
    } finally {
      closeSync(descriptor);
    }
  }
}
