import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';

/** Whether this machine has a `redis-server` to start and to kill. */
export const hasRedisServer = (): boolean => spawnSync('redis-server', ['--version']).status === 0;

/** A Redis that keeps nothing, at an address of its own. It ends with its user, whose end of the pipe it watches. */
export async function redisServer() {
  const port = await freePort();
  let shell: ChildProcess | undefined;
  const start = () => {
    const server = `redis-server --port ${port} --bind 127.0.0.1 --save '' --dir '${tmpdir()}'`;
    shell = spawn('/bin/sh', ['-c', `${server} & cat > /dev/null; kill -KILL $!`], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
  };
  const kill = async () => {
    const gone = new Promise((resolve) => shell?.once('close', resolve));
    shell?.stdin?.end();
    await gone;
  };
  start();
  return {
    url: `redis://127.0.0.1:${port}`,
    start,
    kill,
    flush: () => spawnSync('redis-cli', ['-p', String(port), 'FLUSHALL']).status === 0,
    stop: kill,
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(address !== null && typeof address === 'object' ? address.port : 0));
    });
  });
}
