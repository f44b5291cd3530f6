import assert from 'node:assert/strict';
import { COMMITS_PER_APPEND_MAX, type Commit, EVENTS_PER_COMMIT_MAX, NO_STREAM } from './eventStore.ts';

/**
 * Asserts what every store requires of an append. A failure is a bug of the caller. The words of a failure are made only
 * where there is one: this runs for every commit.
 */
export function assertAppendable<E>(commits: readonly Commit<E>[]): void {
  if (commits.length > COMMITS_PER_APPEND_MAX) assert.fail(`${commits.length} commits in one append`);
  for (const { id, stream, expectedRevision, symbol, events } of commits) {
    if (!UUID.test(id)) assert.fail(`a commit id is a UUID, not ${id}`);
    if (!NAME.test(stream)) assert.fail(`not a stream name: ${JSON.stringify(stream)}`);
    if (symbol !== null && !NAME.test(symbol)) assert.fail(`not a symbol: ${JSON.stringify(symbol)}`);
    if (!Number.isSafeInteger(expectedRevision) || expectedRevision < NO_STREAM) {
      assert.fail(`${stream}: a commit states the revision it expects, not ${expectedRevision}`);
    }
    if (events.length === 0 || events.length > EVENTS_PER_COMMIT_MAX) {
      assert.fail(`${stream}: ${events.length} events in one commit`);
    }
  }
}

/**
 * For each commit, the place (counted from 1) of the previous commit to the same stream in the same call; 0 if there is
 * none.
 */
export function previousOnStream(commits: readonly { stream: string }[]): number[] {
  const latest = new Map<string, number>();
  return commits.map(({ stream }, i) => {
    const previous = latest.get(stream) ?? 0;
    latest.set(stream, i + 1);
    return previous;
  });
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Printable, without spaces: names travel in keys, logs and addresses. */
const NAME = /^[\x21-\x7e]{1,200}$/;
