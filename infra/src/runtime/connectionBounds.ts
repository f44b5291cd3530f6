/** What one address may have of an API's connections, beside the bounds of the process. */
export type ConnectionBounds = {
  /** Connections of one address. */
  perAddressMax: number;
  /** Requests of one address that are unfinished for longer than a slow network explains. */
  halfSentPerAddressMax: number;
  /** Milliseconds for a whole request to arrive: a client that sends byte by byte is cut off. */
  requestTimeoutMs: number;
};

/** An office behind one address has some hundred; twenty addresses can have this many of the process's 10,000. */
export const CONNECTION_BOUNDS: ConnectionBounds = {
  perAddressMax: 500,
  halfSentPerAddressMax: 100,
  requestTimeoutMs: 15_000,
};

/** As the environment names them. */
export const connectionBounds = (given: {
  CONNECTIONS_PER_ADDRESS_MAX: number;
  HALF_SENT_PER_ADDRESS_MAX: number;
}): ConnectionBounds => ({
  ...CONNECTION_BOUNDS,
  perAddressMax: given.CONNECTIONS_PER_ADDRESS_MAX,
  halfSentPerAddressMax: given.HALF_SENT_PER_ADDRESS_MAX,
});
