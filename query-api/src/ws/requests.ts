import { type Method, REQUESTS, RequestId, StreamRequest } from '@brokerx/contracts';
import { Problem } from '@brokerx/infra/http/problem.ts';
import { invalidRequest } from '@brokerx/infra/http/problems.ts';
import type { z } from 'zod';

/** Parses a client's message into a request, or into the problem that makes it none. */
export type Request = {
  [M in Method]: { id: RequestId; method: M; params: z.infer<(typeof REQUESTS)[M]> };
}[Method];
export type Misunderstood = { id: RequestId | null; problem: Problem };

export function readRequest(text: string): Request | Misunderstood {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const title = 'The message is not valid JSON.';
    return { id: null, problem: new Problem({ status: 400, code: 'MALFORMED_JSON', title, cause }) };
  }
  const { data: id = null } = RequestId.safeParse((json as { id?: unknown } | null)?.id);
  const whole = StreamRequest.safeParse(json);
  if (!whole.success) return { id, problem: invalidRequest(whole.error.issues, 'body', json) };
  // Parses the message as it was sent: a parsed copy would have lost unknown keys, which must be refused.
  const { method, params = {} } = whole.data;
  const read = REQUESTS[method].safeParse(params);
  if (read.success) return { id: whole.data.id, method, params: read.data } as Request;
  const issues = read.error.issues.map((issue) => ({ ...issue, path: ['params', ...issue.path] }));
  return { id, problem: invalidRequest(issues, 'body', json) };
}
