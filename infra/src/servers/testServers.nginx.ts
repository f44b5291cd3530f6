import { spawnSync } from 'node:child_process';
import type { NoServer, ServerForTests } from './serverForTests.ts';

/** The nginx of this machine. Tests start it themselves, each with a configuration of its own. */
export function nginxForTests(): ServerForTests | NoServer {
  const { status } = spawnSync('nginx', ['-v'], { stdio: 'ignore' });
  if (status === 0) return { address: 'nginx', stop: async () => undefined };
  return { missing: 'Install it, such as by: apt-get install nginx' };
}
