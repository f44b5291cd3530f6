import type { Commit, EventStore, Verdict } from './eventStore.ts';
export type Appender<E> = {
  /** Resolves with the commit's verdict once it is durable (or has failed). */
  append(commit: Commit<E>): Promise<Verdict>;
  close(): Promise<void>;
};
export declare function groupCommit<E>(store: EventStore<E>): Appender<E>;
