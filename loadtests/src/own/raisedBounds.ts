/**
 * All clients of a load are on this machine, so they share one address: in an installation of one's own an address may have
 * what the process has. What one account may have stays as it is.
 */
export const RAISED_BOUNDS = {
  CONNECTIONS_PER_ADDRESS_MAX: '10000',
  HALF_SENT_PER_ADDRESS_MAX: '10000',
  WAITERS_PER_ADDRESS_MAX: '1000',
  STREAMS_PER_ADDRESS_MAX: '1000',
  WEBSOCKETS_PER_ADDRESS_MAX: '1000',
} as const;

export const RAISED_BOUNDS_TOLD = `starting an installation of its own; all its clients have one address, so bounds of an address are raised: ${Object.entries(
  RAISED_BOUNDS,
)
  .map(([name, value]) => `${name}=${value}`)
  .join(' ')}`;
