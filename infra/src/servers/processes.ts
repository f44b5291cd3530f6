import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Identifies a process by its pid and the time at which it started. A pid alone is not enough: after a crash or a reboot it may
 * belong to another program, which must never be stopped.
 */
export type ProcessIdentity = { pid: number; startedAt: string };

/** The process that has this pid now; null if there is none, or if it has ended and only awaits its parent. */
export function identify(pid: number): ProcessIdentity | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  const startedAt = process.platform === 'linux' ? startedAtLinux(pid) : startedAtByPs(pid);
  return startedAt === null ? null : { pid, startedAt };
}

export const ownIdentity = (): ProcessIdentity => {
  const identity = identify(process.pid);
  if (!identity) throw new Error(`cannot read the start time of the own process ${process.pid}`);
  return identity;
};

export function isRunning(recorded: ProcessIdentity): boolean {
  return identify(recorded.pid)?.startedAt === recorded.startedAt;
}

/** The command line, arguments joined by spaces; empty when it cannot be read. */
export function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux') {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    }
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

/** Milliseconds between two checks whether a process that is not our child has ended. */
const END_POLL_MS = 25;

/** Sends the signal if it is still that process. Returns whether the process has ended within `timeoutMs`. */
export async function stopProcess(
  recorded: ProcessIdentity,
  signal: NodeJS.Signals,
  timeoutMs: number,
): Promise<boolean> {
  if (!isRunning(recorded)) return true;
  try {
    process.kill(recorded.pid, signal);
  } catch (error) {
    // It has ended, or belongs to another user. The wait below shows which.
    const isExpected = ['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!isExpected) throw error;
  }
  const deadlineMs = performance.now() + timeoutMs;
  while (isRunning(recorded)) {
    if (performance.now() > deadlineMs) return false;
    await delay(END_POLL_MS);
  }
  return true;
}

const STATE_FIELD = 0;
const START_TICKS_FIELD = 19;

function startedAtLinux(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[STATE_FIELD] === 'Z' || fields[STATE_FIELD] === 'X') return null;
    return `${bootId()}/${fields[START_TICKS_FIELD]}`;
  } catch {
    return null;
  }
}

/** Start times on Linux count from the boot, so the boot is part of them. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function startedAtByPs(pid: number): string | null {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return line === '' || line.startsWith('Z') ? null : line.replace(/^\S+\s+/, '');
  } catch {
    return null;
  }
}
