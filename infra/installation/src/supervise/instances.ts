/** How many processes of each kind an installation on one machine runs. */
export type Counts = { commandApis: number; engines: number; projectors: number; queryApis: number };

export const ONE_OF_EACH: Counts = { commandApis: 1, engines: 1, projectors: 1, queryApis: 1 };
/** On one machine more of a kind only share its processors; and each has some fifteen connections to the database. */
export const INSTANCES_MAX = 4;

/**
 * What the n-th process of a service is called in logs and in `run.json`: the service's own name where it is the only
 * one, else with its number. Its name towards the others, in leases, always has the number: `matching-engine-1`.
 */
export const processName = (service: string, n: number, count: number): string =>
  count === 1 ? service : instanceName(service, n);
export const instanceName = (service: string, n: number): string => `${service}-${n}`;

/** 1 to n. */
export const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
