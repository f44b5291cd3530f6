import type { FastifyRequest } from 'fastify';
import type { Origin } from '../people.ts';

export const originOf = ({ ip, raw }: FastifyRequest): Origin => ({
  ip,
  isGone: () => raw.socket.destroyed,
});
