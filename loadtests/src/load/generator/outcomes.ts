import type { CommandKind } from '../../journal.ts';
import type { Action } from '../scenarios/scenario.ts';
import { NEVER_SENT } from './connections.ts';
import type { Done } from './httpConnection.ts';
import type { JournalFile } from './journalFile.ts';
import type { LastOrder, LoadUser } from './protocol.ts';
import type { Recorder } from './recorder.ts';

/** What became of requests: counted, noted in the journal, and remembered where something later needs it. */
export type Outcomes = {
  /** One command was answered; `status` 0: it was not. `position`: its position token, read only where it is needed. */
  settle(command: SentCommand, status: number, text: string, position: () => string): void;
  /** A request that leaves nothing in a journal. */
  looked(action: Action, dueMs: number, finished: Finished): Done;
  /** The oldest order of the user that was not canceled yet, if ids are remembered. */
  takeResting(user: number): string | undefined;
  /** The newest acknowledged order of each user. */
  last(): LastOrder[];
};
export type SentCommand = { action: Action; kind: CommandKind; user: number; dueMs: number; key: string };
export type Finished = ((status: number) => void) | undefined;

export type OutcomesParts = {
  users: readonly LoadUser[];
  recorder: Recorder;
  journal: JournalFile;
  /** Whether ids of orders are remembered for cancels. */
  cancels: boolean;
};

/** Orders of a user that are remembered for cancels. */
const REMEMBERED_MAX = 200;

export function outcomes({ users, recorder, journal, cancels }: OutcomesParts): Outcomes {
  const last = new Map<number, LastOrder>();
  const resting = new Map<number, string[]>();
  const remember = (user: number, id: string, position: string) => {
    last.set(user, { id, position });
    if (!cancels) return;
    const own = resting.get(user) ?? [];
    if (own.length < REMEMBERED_MAX) own.push(id);
    resting.set(user, own);
  };
  return {
    settle({ action, kind, user, dueMs, key }, status, text, position) {
      const entry = { key, accountId: users[user]?.accountId ?? '', kind };
      if (status >= 200 && status < 300) {
        recorder.ok(action, dueMs);
        const subjectId = idIn(text);
        // A cancel's reply names the order, which its own event does not have as its subject.
        journal.note(
          kind === 'cancel' ? { ...entry, outcome: 'ok' } : { ...entry, outcome: 'ok', subjectId },
        );
        if (kind === 'place') remember(user, subjectId, position());
      } else if (status > 0) {
        const code = `${status} ${codeIn(text)}`.trimEnd();
        recorder.refused(action, dueMs, code);
        journal.note({ ...entry, outcome: status >= 500 ? 'unknown' : 'refused', code });
      } else if (status === NEVER_SENT) recorder.unsent(action, dueMs);
      else {
        recorder.unknown(action, dueMs);
        journal.note({ ...entry, outcome: 'unknown' });
      }
    },
    looked: (action, dueMs, finished) => (status, _head, text) => {
      if (status >= 200 && status < 300) recorder.ok(action, dueMs);
      else if (status > 0) recorder.refused(action, dueMs, `${status} ${codeIn(text)}`.trimEnd());
      else if (status === NEVER_SENT) recorder.unsent(action, dueMs);
      else recorder.unknown(action, dueMs);
      finished?.(status);
    },
    takeResting: (user) => resting.get(user)?.shift(),
    last: () => [...last.values()],
  };
}

/** The first id in a reply is that of what was made. */
const idIn = (text: string): string => {
  const at = text.indexOf('"id":"');
  return at === -1 ? '' : text.slice(at + 6, at + 42);
};
const codeIn = (text: string): string => /"code":"([A-Z_]+)"/.exec(text)?.[1] ?? '';
