import { closeSync, openSync, writeSync } from 'node:fs';
import type { JournalEntry } from '../../journal.ts';

/**
 * What a generator process knows of its commands, as lines of a file that `readJournal` reads: a run of hours must not keep
 * them in memory. A line is written when the outcome is known or given up; lines are written some thousands at a time.
 */
export type JournalFile = {
  note(entry: JournalEntry): void;
  close(): void;
};

const BUFFERED_CHARACTERS = 256 * 1024;

export function journalFile(path: string): JournalFile {
  const descriptor = openSync(path, 'a');
  let buffered = '';
  const flush = () => {
    writeSync(descriptor, buffered);
    buffered = '';
  };
  return {
    note({ key, accountId, kind, outcome, subjectId, code }) {
      // By hand: nothing in it needs escaping, and it is written for every order.
      buffered += `{"key":"${key}","accountId":"${accountId}","kind":"${kind}","outcome":"${outcome}"${
        subjectId ? `,"subjectId":"${subjectId}"` : ''
      }${code ? `,"code":"${code}"` : ''}}\n`;
      if (buffered.length > BUFFERED_CHARACTERS) flush();
    },
    close() {
      flush();
      closeSync(descriptor);
    },
  };
}
