import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import { identify, isRunning, type ProcessIdentity } from '@brokerx/infra/servers/processes.ts';
import { stopFirmly } from './serviceProcess.ts';

/**
 * `run.json`: which processes belong to the installation now, kept current through restarts. It is how a drill
 * finds whom to kill, and how the next start finds what a killed supervisor left behind.
 */
export type RunFile = {
  set(name: string, pid: number | null): void;
  pids(): Record<string, number>;
};

/** The database is not a service: its own start deals with a leftover. */
export const DATABASE_PROCESS = 'postgres';

export function openRunFile(dataDir: string, log: Log): RunFile {
  const path = join(dataDir, 'run.json');
  const processes = new Map<string, ProcessIdentity>();
  const pids = () => Object.fromEntries([...processes].map(([name, { pid }]) => [name, pid]));
  const write = () => {
    const text = JSON.stringify({ pids: pids(), processes: Object.fromEntries(processes) }, null, 2);
    writeFileSync(`${path}.new`, `${text}\n`);
    renameSync(`${path}.new`, path); // Whole or not at all, for whoever reads it meanwhile.
  };
  /** A full disk must not end the supervisor, which is needed most just then: the next change is written again. */
  const keepCurrent = () => {
    try {
      write();
    } catch (err) {
      log.warn({ err }, `${path} could not be written; it names former processes`);
    }
  };
  write();
  return {
    set: (name, pid) => {
      const identity = pid === null ? null : identify(pid);
      if (identity) processes.set(name, identity);
      else processes.delete(name);
      keepCurrent();
    },
    pids,
  };
}

/** Stops the services that a supervisor which was killed left running. */
export async function stopLeftovers(dataDir: string, log: Log): Promise<void> {
  const leftovers = Object.entries(recorded(dataDir)).filter(
    ([name, identity]) => name !== DATABASE_PROCESS && isRunning(identity),
  );
  if (leftovers.length === 0) return;
  log.info({ services: leftovers.map(([name]) => name) }, 'stopping services that a former run left behind');
  await Promise.all(leftovers.map(([, identity]) => stopFirmly(identity)));
}

/** At once and without waiting, for a person who has asked twice. The database recovers at its next start. */
export function killRecorded(dataDir: string): void {
  for (const [name, identity] of Object.entries(recorded(dataDir))) {
    if (isRunning(identity)) process.kill(identity.pid, name === DATABASE_PROCESS ? 'SIGQUIT' : 'SIGKILL');
  }
}

function recorded(dataDir: string): Record<string, ProcessIdentity> {
  try {
    const { processes = {} } = JSON.parse(readFileSync(join(dataDir, 'run.json'), 'utf8')) as {
      processes?: Record<string, ProcessIdentity>;
    };
    return processes;
  } catch {
    return {}; // Absent, or from a machine that lost power: then nothing of it runs either.
  }
}
