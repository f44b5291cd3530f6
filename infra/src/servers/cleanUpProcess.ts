import { spawn } from 'node:child_process';
import { errorsHeardElsewhere } from '../runtime/mayFail.ts';

/**
 * Starts a shell that runs a script when this process ends, however it ends: it waits for the end of its input, which comes
 * when this process closes it or is gone. It is a process of its own, because a process that is killed cannot clean up.
 * Resolves with a function that runs the script now.
 */
export function cleanUpProcess(script: string, args: readonly string[]): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    const shell = spawn('/bin/sh', ['-c', `${WAIT}${script}`, 'clean-up', ...args], {
      detached: true,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const exited = new Promise<void>((done) => shell.once('close', () => done()));
    shell.once('error', reject);
    errorsHeardElsewhere(shell.stdin); // The shell may have been killed: then nothing can be sent to it.
    shell.once('spawn', () => {
      shell.unref();
      resolve(() => {
        shell.ref();
        shell.stdin.end();
        return exited;
      });
    });
  });
}

const WAIT = `
trap '' INT TERM HUP
cat > /dev/null
`;
