import type { Http, Tallies, Tally } from '@brokerx/infra';
import rateLimit, { type FastifyRateLimitStore } from '@fastify/rate-limit';
import { problemOf } from '../commands/refusals.ts';

/**
 * Bounds what one address may ask for without signing in: registrations, passcodes, sign-ins, all of them together.
 * Each costs a password hash, a mail or events that stay for ever. It holds for every public route that changes
 * something, so that a new one is not forgotten.
 */
export async function limitPublicRequests(
  app: Http,
  { tallies, perMinuteMax }: { tallies: Tallies; perMinuteMax: number },
): Promise<void> {
  const tally = tallies.tally('public-requests', { windowMs: MINUTE_MS, keysMax: ADDRESSES_MAX });
  await app.register(rateLimit, {
    global: false,
    max: perMinuteMax,
    timeWindow: MINUTE_MS,
    store: storeOver(tally),
    ipv6Subnet: IPV6_SUBSCRIBER_BITS,
  });
  const count = app.createRateLimit();
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.config.auth !== 'public' || READS.has(request.method)) return done();
    count(request).then((use) => {
      if (use.isAllowed || !use.isExceeded) return done();
      const seconds = String(Math.max(1, use.ttlInSeconds));
      const detail = `an address has ${use.max} a minute; try again in ${seconds} s`;
      done(problemOf({ code: 'REQUEST_LIMIT', detail }, { headers: { 'retry-after': seconds } }));
    }, done);
  });
}

/** The counts of the plugin. Its own store for Redis would let everybody in, or nobody, while Redis is away. */
function storeOver(tally: Tally) {
  return class implements FastifyRateLimitStore {
    incr(key: string, told: (error: Error | null, result?: { current: number; ttl: number }) => void): void {
      tally.count(key).then(
        ({ count, leftMs }) => told(null, { current: count, ttl: leftMs }),
        (error: Error) => told(error),
      );
    }
    child(): FastifyRateLimitStore {
      return this;
    }
  };
}

const MINUTE_MS = 60_000;
/** Addresses that a process remembers, some 200 bytes each; beyond it the longest unseen begins anew. */
const ADDRESSES_MAX = 20_000;
/** What one subscriber has at his disposal. */
const IPV6_SUBSCRIBER_BITS = 64;
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
