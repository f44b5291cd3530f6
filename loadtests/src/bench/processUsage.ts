import { readFileSync } from 'node:fs';

/**
 * Reads the CPU time and memory of processes from /proc (Linux). Children, such as PostgreSQL's backends, count with their
 * parent. Memory that several processes share counts once (PSS).
 */
export type Usage = { cpuSeconds: number; memoryBytes: number };

/** USER_HZ: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

type Stat = { pid: number; parent: number; cpuSeconds: number };

export function usageOf(
  pids: Readonly<Record<string, number>>,
  /** False: leaves the memory out (0), which takes the kernel a while. */
  withMemory = true,
): Record<string, Usage> {
  const family = new Set(Object.values(pids).flatMap((pid) => [pid, ...childrenOf(pid)]));
  const all = [...family].flatMap((pid) => statOf(pid) ?? []);
  const usage: Record<string, Usage> = {};
  const direct = new Set(Object.values(pids));
  for (const [name, pid] of Object.entries(pids)) {
    const own = all.filter((stat) => stat.pid === pid || (stat.parent === pid && !direct.has(stat.pid)));
    usage[name] = {
      cpuSeconds: own.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
      memoryBytes: withMemory ? own.reduce((sum, stat) => sum + memoryOf(stat.pid), 0) : 0,
    };
  }
  return usage;
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return []; // It ended meanwhile.
  }
}

function statOf(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined; // It ended meanwhile.
  }
  // The second field is the program's name in brackets, which may contain anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  // The time of the process, and that of its children that have ended.
  const ticks = field(14) + field(15) + field(16) + field(17);
  return { pid, parent: field(4), cpuSeconds: ticks / TICKS_PER_SECOND };
}

/** The memory of a process in bytes, with its share of shared pages; 0 when it has ended. */
function memoryOf(pid: number): number {
  try {
    const kibibytes = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}
