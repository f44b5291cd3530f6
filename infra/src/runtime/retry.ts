import { type Runtime, sleep } from './runtime.ts';

/**
 * Repeats `work`, with back-off, while its failures are transient, for at most `budgetMs`; then throws the last error.
 * Only for work that may be done twice. `isOver` ends the repetition early: nobody wants the result any more.
 */
export async function repeating<T>(
  runtime: Runtime,
  budgetMs: number,
  work: () => Promise<T>,
  { isTransient, isOver }: { isTransient: (error: unknown) => boolean; isOver?: () => boolean },
): Promise<T> {
  const deadlineMs = runtime.monotonicMs() + budgetMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || isOver?.() || runtime.monotonicMs() >= deadlineMs) throw error;
      await sleep(runtime, backOffMs(attempt));
    }
  }
}

/** The first and the longest wait, in milliseconds. */
export type BackOff = { readonly firstMs: number; readonly lastMs: number };

/** For a server of one's own, which is back within seconds. */
const SHORT: BackOff = { firstMs: 20, lastMs: 1_000 };

/** Milliseconds to wait after failed attempt number `attempt`, counted from 1: doubling, up to the longest. */
export const backOffMs = (attempt: number, { firstMs, lastMs } = SHORT): number =>
  Math.min(lastMs, firstMs * 2 ** Math.min(attempt - 1, 10));

export const asError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
