import { countVariable } from '@brokerx/infra/runtime/config.ts';
import type { QuotaBounds } from './clientQuotas.ts';

/** The bounds of this process, of one client address, and of one account, for each kind of place. */
export type QueryBounds = { waiters: QuotaBounds; streams: QuotaBounds; webSockets: QuotaBounds };

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

/** The variables of the environment that set these bounds. */
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

export const queryBounds = (variables: { [Name in keyof typeof boundVariables]: number }): QueryBounds => ({
  waiters: {
    ...waiters,
    perAddressMax: variables.WAITERS_PER_ADDRESS_MAX,
    perAccountMax: variables.WAITERS_PER_ACCOUNT_MAX,
  },
  streams: {
    ...streams,
    perAddressMax: variables.STREAMS_PER_ADDRESS_MAX,
    perAccountMax: variables.STREAMS_PER_ACCOUNT_MAX,
  },
  webSockets: {
    ...webSockets,
    perAddressMax: variables.WEBSOCKETS_PER_ADDRESS_MAX,
    perAccountMax: variables.WEBSOCKETS_PER_ACCOUNT_MAX,
  },
});
