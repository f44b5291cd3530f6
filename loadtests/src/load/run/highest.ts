/**
 * The highest number at which something holds: doubles from `from` until it no longer does, and halves the gap from there until
 * it is `within` a share of the number. 0: it does not even hold at `least`. Assumes that what fails at a number fails above it.
 */
export async function highest(
  holds: (n: number) => Promise<boolean>,
  { from, least, max, within }: { from: number; least: number; max: number; within: number },
): Promise<number> {
  let good = 0;
  let bad: number | undefined;
  for (let n = Math.min(from, max); bad === undefined; n = Math.min(2 * n, max)) {
    if (!(await holds(n))) bad = n;
    else if (n === max) return max;
    else good = n;
  }
  for (;;) {
    const gap = bad - good;
    if (gap <= Math.max(1, good * within) || bad <= least) return good;
    const n = Math.max(least, Math.round((good + bad) / 2));
    if (await holds(n)) good = n;
    else bad = n;
  }
}
