import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../runtime/log.ts';
import { cleanUpProcess } from './cleanUpProcess.ts';
import { startEmbeddedPostgres } from './embeddedPostgres.ts';
import { SYSTEM_ROOT } from './postgresHome.ts';

/**
 * A temporary PostgreSQL. It ends, and its folder is removed, when the process that started it ends, even if that one is killed.
 * While it runs, it is as durable as the real one.
 */
export type TemporaryPostgres = {
  /** The address of an empty database, whose user may create others. */
  url: string;
  port: number;
  pid: number;
  folder: string;
  /** Stops the server and removes the folder. */
  stop(): Promise<void>;
};

export async function startTemporaryPostgres(log: Log): Promise<TemporaryPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-postgres-'));
  const cleanUp = await cleanUpProcess(CLEAN_UP_SCRIPT, [folder, SYSTEM_ROOT]);
  try {
    const server = await startEmbeddedPostgres({
      dataRoot: folder,
      log,
      syncNewData: false,
      settings: { shared_buffers: '128MB' },
    });
    return { url: server.url, port: server.port, pid: server.pid, folder, stop: cleanUp };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

// Waits at most 10 s (100 × 0.1 s) for the server to end before it is killed.
const CLEAN_UP_SCRIPT = `
home="$1/postgres"
if [ -f "$1/system-id" ]; then home="$2/$(cat "$1/system-id")"; fi
pid=$(head -n 1 "$home/data/postmaster.pid" 2> /dev/null)
if [ -n "$pid" ] && kill -QUIT "$pid" 2> /dev/null; then
  tries=0
  while kill -0 "$pid" 2> /dev/null && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -KILL "$pid" 2> /dev/null
fi
rm -rf "$home" "$home.origin" "$1"
`;
