import { migrate } from './migrate.ts';

/** The schema that snapshots and leases share. */
export const migrateState = (databaseUrl: string) =>
  migrate({ databaseUrl, directory: new URL('../../migrations/state', import.meta.url), name: 'state' });
