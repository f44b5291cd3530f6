/** A server for a run. */
export type ServerForTests = { address: string; stop(): Promise<void> };

/** Why there is none, and what to do to have one. */
export type NoServer = { missing: string };
