/**
 * One read for all who ask while another is under way. Each is given what was read after it had asked, so that nobody is
 * given anything stale, and however many ask at once, two reads answer all of them.
 */
export function sharedReads<T>(read: () => Promise<T>): () => Promise<T> {
  let current: Promise<T> | null = null;
  let next: Promise<T> | null = null;

  const begin = (): Promise<T> => {
    const reading = read().finally(() => {
      if (current === reading) current = null;
    });
    current = reading;
    return reading;
  };
  const later = async (reading: Promise<T>): Promise<T> => {
    await reading.then(IGNORED, IGNORED);
    next = null;
    return begin();
  };
  return () => (current ? (next ??= later(current)) : begin());
}

/** Whoever asked for it hears how it ended. */
const IGNORED = () => undefined;
