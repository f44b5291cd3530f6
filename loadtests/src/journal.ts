import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/**
 * What one client knows of its own commands, kept outside the system under test: a line with the intent before a
 * command is sent, and a line with the outcome after. A crash of the client leaves intents without an outcome,
 * which count as unknown. Written through at once; forcing it to disk is not needed, since machines are not cut off
 * here, only processes.
 */
export type CommandKind = 'place' | 'cancel' | 'amend' | 'deposit';
export type JournalEntry = {
  /** The Idempotency-Key: names the command for ever. */
  key: string;
  accountId: string;
  kind: CommandKind;
  outcome: 'ok' | 'refused' | 'unknown';
  /** The order or deposit that an acknowledged command made or changed. */
  subjectId?: string | undefined;
  /** The refusal's code. */
  code?: string | undefined;
};

export type Journal = {
  intent(intent: { key: string; accountId: string; kind: CommandKind }): void;
  outcome(outcome: {
    key: string;
    outcome: JournalEntry['outcome'];
    subjectId?: string;
    code?: string;
  }): void;
  close(): void;
};

export function openJournal(file: string): Journal {
  const descriptor = openSync(file, 'a');
  const write = (line: object) => writeSync(descriptor, `${JSON.stringify(line)}\n`);
  return {
    intent: (intent) => void write(intent),
    outcome: (outcome) => void write(outcome),
    close: () => closeSync(descriptor),
  };
}

/** Entries of a journal file, in the order of their intents. A torn last line is an outcome never learned. */
export function readJournal(file: string): JournalEntry[] {
  const entries = new Map<string, JournalEntry>();
  const lines = readFileSync(file, 'utf8').split('\n');
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    let parsed: Partial<JournalEntry> & { key: string };
    try {
      parsed = JSON.parse(line) as typeof parsed;
    } catch (cause) {
      if (index === lines.length - 1) continue;
      throw new Error(`${file}: line ${index + 1} is no journal line`, { cause });
    }
    const known = entries.get(parsed.key);
    if (known) Object.assign(known, parsed);
    else entries.set(parsed.key, { outcome: 'unknown', ...parsed } as JournalEntry);
  }
  return [...entries.values()];
}
