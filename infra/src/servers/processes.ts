import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Which process a recorded pid means. A pid alone is not enough: after a crash or a reboot it may belong to a
 * stranger, and a stranger must never be stopped. So a pid is kept together with the time its process started.
 */
export type ProcessIdentity = { pid: number; startedAt: string };

/** The process that has this pid now; null when there is none (one that has ended and awaits its parent is none). */
export function identify(pid: number): ProcessIdentity | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  const startedAt = process.platform === 'linux' ? startedAtLinux(pid) : startedAtByPs(pid);
  return startedAt === null ? null : { pid, startedAt };
}

export const self = (): ProcessIdentity => {
  const own = identify(process.pid);
  if (!own) throw new Error(`cannot read the start time of the own process ${process.pid}`);
  return own;
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

/** Interval of looking whether a process that is no child of ours has ended. */
const END_POLL_MS = 25;

/** Sends the signal when it still is that process, and waits; true when it has ended within `timeoutMs`. */
export async function stopProcess(
  recorded: ProcessIdentity,
  signal: NodeJS.Signals,
  timeoutMs: number,
): Promise<boolean> {
  if (!isRunning(recorded)) return true;
  try {
    process.kill(recorded.pid, signal);
  } catch (error) {
    // The wait tells which.
    const isExpected = ['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!isExpected) throw error;
  }
  const deadline = performance.now() + timeoutMs;
  while (isRunning(recorded)) {
    if (performance.now() > deadline) return false;
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
