/** Index of the first event after the position, by binary search: events lie in the order of their positions. */
export function firstAfter(events: readonly { position: number }[], position: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((events[middle]?.position ?? 0) > position) high = middle;
    else low = middle + 1;
  }
  return low;
}
