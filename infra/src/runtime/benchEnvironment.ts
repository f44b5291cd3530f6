import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';

/** What a benchmark's figures depend on: two figures are comparable only if these are equal. */
export function benchEnvironment(seed: number) {
  const processors = cpus();
  return {
    machine: `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    node: process.version,
    commit: commit(),
    seed,
  };
}

function commit(): string {
  try {
    const git = (...rest: string[]) =>
      execFileSync('git', rest, { cwd: import.meta.dirname, encoding: 'utf8', stdio: 'pipe' }).trim();
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') ? ' with changes' : ''}`;
  } catch {
    // This is not a clone of the repository.
    return 'unknown';
  }
}
