import type { Http, Tallies, Tally } from '@brokerx/infra';
import rateLimit, { type FastifyRateLimitStore } from '@fastify/rate-limit';
import { problemOf } from '../commands/refusals.ts';

/**
 * Limits the requests that one address may send without signing in: registrations, passcodes and sign-ins together. Each
 * costs a password hash, a mail, or events that stay for ever. The limit applies to every public route that changes
 * something, so that a new route cannot be forgotten.
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
    if (request.routeOptions.config.auth !== 'public' || SAFE_METHODS.has(request.method)) return done();
    count(request).then((usage) => {
      if (usage.isAllowed || !usage.isExceeded) return done();
      const seconds = String(Math.max(1, usage.ttlInSeconds));
      const detail = `an address has ${usage.max} a minute; try again in ${seconds} s`;
      done(problemOf({ code: 'REQUEST_LIMIT', detail }, { headers: { 'retry-after': seconds } }));
    }, done);
  });
}

/** Keeps the plugin's counts in a tally. The plugin's own Redis store would let everybody in, or nobody, while Redis is away. */
function storeOver(tally: Tally) {
  return class implements FastifyRateLimitStore {
    incr(
      key: string,
      callback: (error: Error | null, result?: { current: number; ttl: number }) => void,
    ): void {
      tally.count(key).then(
        ({ count, leftMs }) => callback(null, { current: count, ttl: leftMs }),
        (error: Error) => callback(error),
      );
    }
    child(): FastifyRateLimitStore {
      return this;
    }
  };
}

const MINUTE_MS = 60_000;
/** Addresses that a process counts, some 200 bytes each. Beyond it the address unseen for longest is forgotten. */
const ADDRESSES_MAX = 20_000;
/** Providers give each subscriber a prefix of this length, so all addresses in it count as one. */
const IPV6_SUBSCRIBER_BITS = 64;
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
