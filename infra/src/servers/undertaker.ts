import { spawn } from 'node:child_process';
import { errorsHeardElsewhere } from '../runtime/mayFail.ts';

/**
 * A shell that waits for the end of its input, which comes when we close it or are gone, and then runs a script: for
 * what must be cleaned up however its user ends. A process of its own, because one that is killed cannot clean up.
 * Resolves with the function that has it done now.
 */
export function undertaker(script: string, args: readonly string[]): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    const shell = spawn('/bin/sh', ['-c', `${WAIT}${script}`, 'undertaker', ...args], {
      detached: true,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ended = new Promise<void>((done) => shell.once('close', () => done()));
    shell.once('error', reject);
    errorsHeardElsewhere(shell.stdin); // It was killed: then there is nothing left to tell it.
    shell.once('spawn', () => {
      shell.unref();
      resolve(() => {
        shell.ref();
        shell.stdin.end();
        return ended;
      });
    });
  });
}

const WAIT = `
trap '' INT TERM HUP
cat > /dev/null
`;
