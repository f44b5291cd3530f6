/**
 * A local copy of something that the server describes by a snapshot and updates; each update covers a range of
 * sequences. While *syncing*, the copy buffers updates until a snapshot comes that they continue. While *synced*, it
 * applies each update that follows the one before. After a gap or a wrong checksum it is syncing again.
 */
export type LocalCopy<Update, Snapshot> = {
  isSynced(): boolean;
  /** The sequence that the copy reflects; -1 while syncing. */
  sequence(): number;
  /** Takes an update. `kept`: buffered. `known`: the copy has it already. `gap`, `mismatch`: the copy is now syncing. */
  take(update: Update): 'kept' | 'known' | 'applied' | 'gap' | 'mismatch';
  /**
   * Begins with a snapshot. `too_old`: it is older than the first buffered update, or than `reached`, where the updates
   * begin; the caller fetches another one.
   */
  begin(snapshot: Snapshot, reached?: number): 'synced' | 'too_old' | 'gap' | 'mismatch';
  /** Discards everything: the copy is syncing again. */
  reset(): void;
};

/** The most updates buffered while a snapshot is on its way. More mean that none comes; the oldest are dropped. */
const BUFFERED_MAX = 10_000;

export function localCopy<
  Update extends { U: number; u: number },
  Snapshot extends { last_update_id: number },
>(content: {
  /** Both return false when the checksum differs. */
  load(snapshot: Snapshot): boolean;
  apply(update: Update): boolean;
}): LocalCopy<Update, Snapshot> {
  let sequence = -1;
  let synced = false;
  let buffer: Update[] = [];

  const reset = () => {
    synced = false;
    sequence = -1;
    buffer = [];
  };
  const apply = (update: Update): 'known' | 'applied' | 'gap' | 'mismatch' => {
    if (update.u <= sequence) return 'known';
    const follows = update.U <= sequence + 1;
    if (follows) {
      sequence = update.u;
      if (content.apply(update)) return 'applied';
    }
    reset();
    // This update may be the first one after the next snapshot.
    buffer.push(update);
    return follows ? 'mismatch' : 'gap';
  };

  return {
    isSynced: () => synced,
    sequence: () => sequence,
    take(update) {
      if (synced) return apply(update);
      if (buffer.length === BUFFERED_MAX) buffer.shift();
      buffer.push(update);
      return 'kept';
    },
    begin(snapshot, reached = -1) {
      const updates = buffer;
      const [first] = updates;
      if (snapshot.last_update_id < (first ? first.U - 1 : reached)) return 'too_old';
      buffer = [];
      if (!content.load(snapshot)) {
        reset();
        return 'mismatch';
      }
      sequence = snapshot.last_update_id;
      synced = true;
      for (const [at, update] of updates.entries()) {
        const applied = apply(update);
        if (applied !== 'gap' && applied !== 'mismatch') continue;
        buffer = updates.slice(at);
        return applied;
      }
      return 'synced';
    },
    reset,
  };
}
