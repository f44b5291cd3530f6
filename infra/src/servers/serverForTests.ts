/** A server for a test run. */
export type ServerForTests = { address: string; stop(): Promise<void> };

/** There is no such server: `missing` says why, and what to do to have one. */
export type NoServer = { missing: string };
