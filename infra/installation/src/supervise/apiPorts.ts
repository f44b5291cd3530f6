import { freePort, PORT_MAX, portTaken } from '@brokerx/infra/runtime/ports.ts';
import { StartRefused } from '@brokerx/infra/runtime/shutdown.ts';
import type { Counts } from './instances.ts';

/** The ports of an installation's APIs, in the order of the processes of each kind. */
export type ApiPorts = {
  command: number[];
  query: number[];
  /** The port of the development inbox's mail server. */
  inbox: number;
};

/** The distance from one process of a kind to the next, so that 8001, 8011, … and 8002, 8012, … never meet. */
const PORT_STEP = 10;

/** Chooses free ports, or counts up from the first ones; throws `StartRefused` if one of these is not free. */
export async function apiPorts(
  firstPorts: 'free' | { command: number; query: number },
  { commandApis, queryApis }: Counts,
): Promise<ApiPorts> {
  const takenPorts = new Set<number>();
  const free = async (): Promise<number> => {
    for (;;) {
      const port = await freePort();
      if (takenPorts.has(port)) continue;
      takenPorts.add(port);
      return port;
    }
  };
  const many = async (count: number) => {
    const ports: number[] = [];
    while (ports.length < count) ports.push(await free());
    return ports;
  };
  if (firstPorts === 'free') {
    return { command: await many(commandApis), query: await many(queryApis), inbox: await free() };
  }
  const stepped = (first: number, count: number) =>
    Array.from({ length: count }, (_, index) => first + index * PORT_STEP);
  const ports = {
    command: stepped(firstPorts.command, commandApis),
    query: stepped(firstPorts.query, queryApis),
  };
  await refuseUnusable(ports);
  for (const port of [...ports.command, ...ports.query]) takenPorts.add(port);
  return { ...ports, inbox: await free() };
}

async function refuseUnusable({ command, query }: Pick<ApiPorts, 'command' | 'query'>): Promise<void> {
  const common = command.find((port) => query.includes(port));
  if (common !== undefined) {
    const hint = command.length + query.length > 2 ? ` (each further process is ${PORT_STEP} above)` : '';
    throw new StartRefused(`--command-port and --query-port are both ${common}${hint}: they must differ.`);
  }
  const named = [
    ...command.map((port) => ({
      port,
      of: 'command-api',
      flag: '--command-port',
      variable: 'COMMAND_API_PORT',
    })),
    ...query.map((port) => ({ port, of: 'query-api', flag: '--query-port', variable: 'QUERY_API_PORT' })),
  ];
  for (const { port, of, flag, variable } of named) {
    const reason = port > PORT_MAX ? `above ${PORT_MAX}` : await portTaken(port);
    if (reason) {
      throw new StartRefused(
        `port ${port} of ${of} is ${reason}. Choose another one with ${flag} or ${variable}.`,
      );
    }
  }
}
