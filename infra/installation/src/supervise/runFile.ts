import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import { identify, isRunning, type ProcessIdentity } from '@brokerx/infra/servers/processes.ts';
import { stopFirmly } from './serviceProcess.ts';

/**
 * `run.json`: the processes of the installation, kept current through restarts. A drill finds there which process to kill,
 * and the next start finds there what a killed supervisor left running.
 */
export type RunFile = {
  set(name: string, pid: number | null): void;
  pids(): Record<string, number>;
};

/** The database's name in the file. It is no service: its own start deals with a leftover. */
export const DATABASE_PROCESS = 'postgres';

export function openRunFile(dataDir: string, log: Log): RunFile {
  const path = join(dataDir, 'run.json');
  const processes = new Map<string, ProcessIdentity>();
  const pids = () => Object.fromEntries([...processes].map(([name, { pid }]) => [name, pid]));
  const write = () => {
    const text = JSON.stringify({ pids: pids(), processes: Object.fromEntries(processes) }, null, 2);
    writeFileSync(`${path}.new`, `${text}\n`);
    renameSync(`${path}.new`, path); // A reader sees either the old file or the new one, never half of it.
  };
  /** Writes the file. A full disk must not end the supervisor, which is needed most just then: the next change writes again. */
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

/** Stops the services that a killed supervisor left running. */
export async function stopLeftovers(dataDir: string, log: Log): Promise<void> {
  const leftovers = Object.entries(recorded(dataDir)).filter(
    ([name, identity]) => name !== DATABASE_PROCESS && isRunning(identity),
  );
  if (leftovers.length === 0) return;
  log.info({ services: leftovers.map(([name]) => name) }, 'stopping services that a former run left behind');
  await Promise.all(leftovers.map(([, identity]) => stopFirmly(identity)));
}

/** Kills all processes without waiting, for a person who pressed Ctrl-C twice. The database recovers at its next start. */
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
    return {}; // The file is absent, or damaged by a loss of power: then none of its processes runs either.
  }
}
