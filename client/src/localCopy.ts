/**
 * A copy that is kept by updates, each of which covers a range of sequences. States: *syncing*, where updates are kept
 * until a snapshot comes that they go on from; *synced*, where each update follows the one before it. A gap, or a checksum
 * that differs, makes it sync again: then a new snapshot is needed.
 */
export type LocalCopy<Update, Snapshot> = {
  isSynced(): boolean;
  /** What it reflects; -1 while it is syncing. */
  sequence(): number;
  /** `gap` and `mismatch`: it is syncing now. */
  take(update: Update): 'kept' | 'known' | 'applied' | 'gap' | 'mismatch';
  /**
   * `too_old`: it lies before what came, or before `reached`, where the updates are known to begin; fetch another one.
   */
  begin(snapshot: Snapshot, reached?: number): 'synced' | 'too_old' | 'gap' | 'mismatch';
  /** What it had is of no use. */
  reset(): void;
};

/** Updates kept while a snapshot is on its way; more mean that none comes. */
const KEPT_MAX = 10_000;

export function localCopy<
  Update extends { U: number; u: number },
  Snapshot extends { last_update_id: number },
>(held: {
  /** Each takes what is given; false: a checksum differs. */
  load(snapshot: Snapshot): boolean;
  apply(update: Update): boolean;
}): LocalCopy<Update, Snapshot> {
  let sequence = -1;
  let synced = false;
  let kept: Update[] = [];

  const reset = () => {
    synced = false;
    sequence = -1;
    kept = [];
  };
  const apply = (update: Update): 'known' | 'applied' | 'gap' | 'mismatch' => {
    if (update.u <= sequence) return 'known';
    const follows = update.U <= sequence + 1;
    if (follows) {
      sequence = update.u;
      if (held.apply(update)) return 'applied';
    }
    reset();
    // It may be the first one behind the next snapshot.
    kept.push(update);
    return follows ? 'mismatch' : 'gap';
  };

  return {
    isSynced: () => synced,
    sequence: () => sequence,
    take(update) {
      if (synced) return apply(update);
      if (kept.length === KEPT_MAX) kept.shift();
      kept.push(update);
      return 'kept';
    },
    begin(snapshot, reached = -1) {
      const updates = kept;
      const [first] = updates;
      if (snapshot.last_update_id < (first ? first.U - 1 : reached)) return 'too_old';
      kept = [];
      if (!held.load(snapshot)) {
        reset();
        return 'mismatch';
      }
      sequence = snapshot.last_update_id;
      synced = true;
      for (const [at, update] of updates.entries()) {
        const applied = apply(update);
        if (applied !== 'gap' && applied !== 'mismatch') continue;
        kept = updates.slice(at);
        return applied;
      }
      return 'synced';
    },
    reset,
  };
}
