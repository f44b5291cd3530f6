import { execFile } from 'node:child_process';

/** A daemon that does not answer within this is none that tests could use. */
const ANSWER_TIMEOUT_MS = 5_000;

/** Whether there is a Docker daemon that containers can be asked of. */
export function dockerAnswers(): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(
      'docker',
      ['version', '--format', '{{.Server.Version}}'],
      { timeout: ANSWER_TIMEOUT_MS },
      (error) => resolve(error === null),
    );
  });
}
