import type { Log } from '@brokerx/infra/runtime/log.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { invalidParameter } from '../http/problems.ts';
import type { EventStream } from './sse.ts';

/** The parts that all replies of server-sent events share. */
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

/** Replies with the stream, which `work` writes to. A failure ends it as `unavailable`, and the client connects again. */
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

/** The id to resume from: the parameter, for web pages that cannot set headers, or else the header. */
export function resumeFrom(request: FastifyRequest, parameter: number | undefined): number | undefined {
  const header = request.headers['last-event-id'];
  // A browser that has had no id yet sends none or an empty one.
  if (parameter !== undefined || typeof header !== 'string' || header === '') return parameter;
  if (/^\d{1,15}$/.test(header)) return Number(header);
  throw invalidParameter('#/headers/last-event-id', 'the id of a message of this stream');
}
