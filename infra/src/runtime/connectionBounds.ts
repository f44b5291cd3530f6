/** Bounds on one address's connections to an API; `http/server.ts` has those of the whole process. */
export type ConnectionBounds = {
  /** Open connections of one address. */
  perAddressMax: number;
  /** Requests of one address that have been incomplete for longer than a slow network explains. */
  halfSentPerAddressMax: number;
  /** Milliseconds for a whole request to arrive: a client that sends byte by byte is cut off. */
  requestTimeoutMs: number;
};

/** An office behind one address has some hundred connections; twenty addresses could fill the process's 10,000. */
export const CONNECTION_BOUNDS: ConnectionBounds = {
  perAddressMax: 500,
  halfSentPerAddressMax: 100,
  requestTimeoutMs: 15_000,
};

/** The bounds that the environment sets. */
export const connectionBounds = (config: {
  CONNECTIONS_PER_ADDRESS_MAX: number;
  HALF_SENT_PER_ADDRESS_MAX: number;
}): ConnectionBounds => ({
  ...CONNECTION_BOUNDS,
  perAddressMax: config.CONNECTIONS_PER_ADDRESS_MAX,
  halfSentPerAddressMax: config.HALF_SENT_PER_ADDRESS_MAX,
});
