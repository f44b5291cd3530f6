import { execFile } from 'node:child_process';

/** Whether a Docker daemon answers here. */
export function dockerAnswers(): Promise<boolean> {
  return new Promise((resolve) => {
    execFile('docker', ['info'], { timeout: ANSWER_MS }, (error) => resolve(error === null));
  });
}

/** A daemon that is there answers at once. */
const ANSWER_MS = 5_000;
