import { countVariable } from '@brokerx/infra/runtime/config.ts';
import type { ShareBounds } from './shares.ts';

/** What one address, and one account, may have of this process, beside the bounds of the process itself. */
export type QueryBounds = { waiters: ShareBounds; streams: ShareBounds; webSockets: ShareBounds };

/**
 * Waiters hold a request and its socket; more than a thousand wait only where a projection stands still. A stream and a
 * WebSocket cost some 50 KB and a socket each, and what waits for a slow client. A trader's screen has a handful; a few
 * machines behind one address have a hundred; ten addresses, or twenty accounts, have all.
 */
export const QUERY_BOUNDS: QueryBounds = {
  waiters: { max: 1_000, perAddressMax: 100, perAccountMax: 50 },
  streams: { max: 1_000, perAddressMax: 100, perAccountMax: 50 },
  webSockets: { max: 1_000, perAddressMax: 100, perAccountMax: 50 },
};

const { waiters, streams, webSockets } = QUERY_BOUNDS;

/** As the environment names them. */
export const boundVariables = {
  WAITERS_PER_ADDRESS_MAX: countVariable(
    'Queries of one address that may wait until what they read has reached their min_position.',
  ).default(waiters.perAddressMax),
  WAITERS_PER_ACCOUNT_MAX: countVariable('The same of one account.').default(waiters.perAccountMax),
  STREAMS_PER_ADDRESS_MAX: countVariable('Event streams of one address that may be open.').default(
    streams.perAddressMax,
  ),
  STREAMS_PER_ACCOUNT_MAX: countVariable('The same of one account.').default(streams.perAccountMax),
  WEBSOCKETS_PER_ADDRESS_MAX: countVariable('WebSockets of one address that may be open.').default(
    webSockets.perAddressMax,
  ),
  WEBSOCKETS_PER_ACCOUNT_MAX: countVariable('WebSockets that may be signed in to one account.').default(
    webSockets.perAccountMax,
  ),
};

export const queryBounds = (given: { [Name in keyof typeof boundVariables]: number }): QueryBounds => ({
  waiters: {
    ...waiters,
    perAddressMax: given.WAITERS_PER_ADDRESS_MAX,
    perAccountMax: given.WAITERS_PER_ACCOUNT_MAX,
  },
  streams: {
    ...streams,
    perAddressMax: given.STREAMS_PER_ADDRESS_MAX,
    perAccountMax: given.STREAMS_PER_ACCOUNT_MAX,
  },
  webSockets: {
    ...webSockets,
    perAddressMax: given.WEBSOCKETS_PER_ADDRESS_MAX,
    perAccountMax: given.WEBSOCKETS_PER_ACCOUNT_MAX,
  },
});
