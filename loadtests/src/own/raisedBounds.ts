/**
 * Raises the bounds of an address in an installation of a tool's own, because all clients of a load are on this machine and
 * share one address. The bounds of an account stay as they are.
 */
export const RAISED_BOUNDS = {
  CONNECTIONS_PER_ADDRESS_MAX: '10000',
  HALF_SENT_PER_ADDRESS_MAX: '10000',
  WAITERS_PER_ADDRESS_MAX: '1000',
  STREAMS_PER_ADDRESS_MAX: '1000',
  WEBSOCKETS_PER_ADDRESS_MAX: '1000',
} as const;

export const RAISED_BOUNDS_NOTICE = `starting an installation of its own; all its clients have one address, so bounds of an address are raised: ${Object.entries(
  RAISED_BOUNDS,
)
  .map(([name, value]) => `${name}=${value}`)
  .join(' ')}`;
