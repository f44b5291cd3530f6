import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/**
 * The journal of a client: what it knows of its own commands, kept outside the system under test. One line holds the intent
 * before a command is sent, another one the outcome. An intent without an outcome, as after a crash of the client, counts
 * as unknown. Lines are written at once, but not forced to disk: only processes are killed here, not machines.
 */
export type CommandKind = 'place' | 'cancel' | 'amend' | 'deposit';
export type JournalEntry = {
  /** The Idempotency-Key of the command. */
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

/** Reads the entries of a journal file, in the order of their intents. A torn last line counts as not written. */
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
    const entry = entries.get(parsed.key);
    if (entry) Object.assign(entry, parsed);
    else entries.set(parsed.key, { outcome: 'unknown', ...parsed } as JournalEntry);
  }
  return [...entries.values()];
}
