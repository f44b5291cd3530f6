/** How many processes of each kind an installation on one machine runs. */
export type Counts = { commandApis: number; engines: number; projectors: number; queryApis: number };

export const ONE_OF_EACH: Counts = { commandApis: 1, engines: 1, projectors: 1, queryApis: 1 };
/** Processes of one kind: more would only share the machine's processors, and each has some fifteen database connections. */
export const INSTANCES_MAX = 4;

/**
 * The name of a service's n-th process in logs and in `run.json`: the service's own name if there is only one, else with the
 * number. `instanceName`, used in leases, always has the number: `matching-engine-1`.
 */
export const processName = (service: string, n: number, count: number): string =>
  count === 1 ? service : instanceName(service, n);
export const instanceName = (service: string, n: number): string => `${service}-${n}`;

/** The numbers from 1 to `count`. */
export const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
