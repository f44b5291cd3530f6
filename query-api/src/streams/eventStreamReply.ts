import type { Log } from '@brokerx/infra/runtime/log.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { invalidParameter } from '../http/problems.ts';
import type { EventStream } from './sse.ts';

/** What all replies of server-sent events have in common. */
export const EVENT_STREAM_RESPONSE = {
  200: { description: 'Server-sent events.', content: { 'text/event-stream': { schema: z.string() } } },
};

export const ResumeHeaders = z.looseObject({
  'last-event-id': z
    .string()
    .optional()
    .describe(
      'The id of the last message that was received: resumes behind it. Browsers send it by themselves.',
    ),
});

/** Sends what `work` writes until the stream ends. A failure is told to the client, who comes back. */
export function serveStream(
  { log }: { log: Log },
  to: EventStream,
  request: FastifyRequest,
  reply: FastifyReply,
  work: () => Promise<void>,
) {
  work().catch((error: unknown) => {
    log.warn({ err: error, request_id: request.id }, 'an event stream failed');
    to.end('unavailable');
  });
  return reply.type('text/event-stream; charset=utf-8').header('x-accel-buffering', 'no').send(to.body);
}

/** The parameter comes before the header: where a page cannot set headers, it resumes with the parameter. */
export function resumeFrom(request: FastifyRequest, parameter: number | undefined): number | undefined {
  const header = request.headers['last-event-id'];
  // A browser that has had no id yet sends none or an empty one.
  if (parameter !== undefined || typeof header !== 'string' || header === '') return parameter;
  if (/^\d{1,15}$/.test(header)) return Number(header);
  throw invalidParameter('#/headers/last-event-id', 'the id of a message of this stream');
}
