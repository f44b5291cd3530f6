import { execFile } from 'node:child_process';

/** Milliseconds for the daemon's answer: tests could not use a slower one. */
const ANSWER_TIMEOUT_MS = 5_000;

/** Whether a Docker daemon answers, so that tests can run containers. */
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
