import { z } from 'zod';

/**
 * A problem reply (RFC 9457) with a `code` that programs can rely on. Services throw a `Problem`; the HTTP kit turns every
 * other error into one.
 */
export class Problem extends Error {
  override name = 'Problem';
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string | undefined;
  readonly errors: readonly FieldError[] | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly retryable: boolean;

  constructor({ status, code, title, detail, errors, headers = {}, retryable, cause }: ProblemInit) {
    super(detail ?? title, { cause });
    this.status = status;
    this.code = code;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    this.headers = headers;
    this.retryable = retryable ?? RETRYABLE_STATUSES.has(status);
  }
}

export type ProblemInit = {
  status: number;
  /** The kind of problem, UPPER_SNAKE and stable for ever. */
  code: string;
  /** One sentence, the same for every occurrence of the code. */
  title: string;
  /** What went wrong this time. */
  detail?: string;
  errors?: readonly FieldError[];
  /** Headers of the reply, such as `retry-after`. */
  headers?: Readonly<Record<string, string>>;
  /** Whether the very same request may succeed later; follows from the status when absent. */
  retryable?: boolean;
  cause?: unknown;
};

/** One mistake in a request. */
export type FieldError = {
  /**
   * JSON pointer (RFC 6901 §6) into the body, such as `#/limit_price`, or into the rest of the request: `#/query/limit`,
   * `#/path/id`, `#/headers/…`.
   */
  pointer: string;
  /** The rule that is broken, UPPER_SNAKE. */
  code: string;
  /** What is expected instead. */
  detail: string;
};

/** 408 timeout, 425 too early, 429 too many requests, 500 bug, 502 to 504 unavailable for the moment. */
const RETRYABLE_STATUSES = new Set([408, 425, 429, 500, 502, 503, 504]);

/** The body of a problem reply. */
export const ProblemBody = z
  .object({
    type: z.string().describe('Always about:blank: `code` says what kind of problem it is.'),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().optional(),
    instance: z.string().optional().describe('The path that was asked for.'),
    code: z.string().describe('UPPER_SNAKE; programs rely on this.'),
    errors: z.array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() })).optional(),
    request_id: z.string().optional(),
    retryable: z.boolean().describe('Whether the very same request may succeed later.'),
    retry_after: z.int().optional().describe('Seconds to wait before; the header Retry-After.'),
  })
  .describe('Problem (RFC 9457)');
export type ProblemBody = z.infer<typeof ProblemBody>;

export const PROBLEM_JSON = 'application/problem+json; charset=utf-8';

export function problemBody(problem: Problem, instance?: string, requestId?: string): ProblemBody {
  return {
    type: 'about:blank',
    title: problem.title,
    status: problem.status,
    ...(problem.detail === undefined ? {} : { detail: problem.detail }),
    ...(instance === undefined ? {} : { instance }),
    code: problem.code,
    ...(problem.errors === undefined ? {} : { errors: [...problem.errors] }),
    ...(requestId === undefined ? {} : { request_id: requestId }),
    retryable: problem.retryable,
    ...retryAfter(problem),
  };
}

/** `Retry-After` as a field of the body: in a batch and on a WebSocket a single reply has no headers. */
function retryAfter({ headers }: Problem): { retry_after?: number } {
  const seconds = Number(headers['retry-after']);
  return Number.isSafeInteger(seconds) ? { retry_after: seconds } : {};
}
