import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Log } from '../runtime/log.ts';

/** A fastify instance with our log and schemas of zod; `buildHttp` makes one. */
export type Http = FastifyInstance<Server, IncomingMessage, ServerResponse, Log, ZodTypeProvider>;
