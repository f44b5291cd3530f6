import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';

/** CPU time of a server's processes, ended ones included, in µs; null where it cannot be known. */
export function postgresCpuMicros(postmaster: number | null): number | null {
  if (postmaster === null || process.platform !== 'linux') return null;
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // After the command's name, which may hold anything: state, parent, …, utime, stime, cutime, cstime.
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      if (fields[1] === postmaster) ticks += (fields[11] ?? 0) + (fields[12] ?? 0);
      if (Number(pid) === postmaster) for (let i = 11; i <= 14; i++) ticks += fields[i] ?? 0;
    } catch (error) {
      // It ended meanwhile: its parent has its time.
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return ticks * 10_000;
}

/** A database of our own in a server that somebody else runs. */
export async function freshDatabaseIn(adminUrl: string) {
  const name = `bench_${Date.now()}`;
  const administer = async (statement: string) => {
    const client = new pg.Client({ connectionString: adminUrl });
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  await administer(`create database ${name}`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return { url: url.href, pid: null, stop: () => administer(`drop database ${name} with (force)`) };
}

export const version = async (pool: pg.Pool) =>
  (await pool.query<{ version: string }>('select version()')).rows[0]?.version.split(' on ')[0] ?? 'unknown';
