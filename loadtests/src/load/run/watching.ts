import { readFileSync } from 'node:fs';
import { mayFail } from '@brokerx/client';
import { type Usage, usageOf } from '../../bench/processUsage.ts';
import type { Installation } from '../../own/installation.ts';
import type { Target } from '../../own/target.ts';

/**
 * Looks at the processes of the installation while a load runs: CPU, memory, how far each stage is behind, and how much each
 * has done. Of an installation elsewhere only what its two APIs tell at `/metrics`.
 */
export type Watching = {
  /** Takes a sample now. */
  sample(second: number): Promise<Sample>;
  /** CPU seconds of each process since this was made or `mark`ed. */
  cpuSeconds(): Record<string, number>;
  mark(): void;
  samples(): readonly Sample[];
};

export type Sample = {
  second: number;
  cores: Record<string, number>;
  /** Taken more seldom, since it takes the kernel a while; absent in between. */
  memoryMib?: Record<string, number>;
  /** Events that each stage is behind the newest one. Absent: no process tells. */
  lag: Partial<Record<LagStage, number>>;
  /** Since the start of its process: inputs that engines took, facts that settlement recorded, events that views took. */
  done: Partial<Record<LagStage, number>>;
};
export const LAG_STAGES = ['match', 'settlement', 'view', 'market data'] as const;
export type LagStage = (typeof LAG_STAGES)[number];

const MEMORY_EVERY = 5;
const SCRAPE_TIMEOUT_MS = 2_000;

export function watching(
  { api, installation }: Target,
  /** The generator's processes and servers beside the installation. */
  others: () => Record<string, number>,
): Watching {
  const samples: Sample[] = [];
  /** By pid, since a killed process comes back under its name with another one. */
  const cpu = new Map<number, number>();
  const spent: Record<string, number> = {};
  const ports = new Map<number, string>();
  let lastMs = performance.now();
  let taken = 0;

  const usage = (withMemory: boolean) => {
    const memoryMib: Record<string, number> = {};
    const sinceLast: Record<string, number> = {};
    const pids = { ...installation?.pids(), ...others() };
    const all = { ...usageOf(pids, withMemory), [OWN]: ownUsage() };
    for (const [name, { cpuSeconds, memoryBytes }] of Object.entries(all)) {
      const pid = pids[name] ?? process.pid;
      // What came back under a known name has spent everything since.
      const before = cpu.get(pid) ?? (name in spent ? 0 : cpuSeconds);
      const more = Math.max(0, cpuSeconds - before);
      cpu.set(pid, cpuSeconds);
      sinceLast[name] = more;
      spent[name] = (spent[name] ?? 0) + more;
      if (withMemory) memoryMib[name] = Math.round(memoryBytes / 2 ** 20);
    }
    return { sinceLast, memoryMib };
  };
  usage(false);
  return {
    async sample(second) {
      const withMemory = taken++ % MEMORY_EVERY === 0;
      const { sinceLast, memoryMib } = usage(withMemory);
      const now = performance.now();
      const seconds = (now - lastMs) / 1_000;
      lastMs = now;
      const cores = Object.fromEntries(
        Object.entries(sinceLast).map(([name, cpuSeconds]) => [name, cpuSeconds / seconds]),
      );
      const urls = installation
        ? metricsUrls(installation, ports)
        : [...api.commandUrls, ...api.queryUrls].map((url) => `${url}/metrics`);
      const texts = await Promise.all(urls.map(scraped));
      const sample = {
        second,
        cores,
        ...(withMemory ? { memoryMib } : {}),
        ...stagesIn(texts.join('\n')),
      };
      samples.push(sample);
      return sample;
    },
    cpuSeconds() {
      usage(false);
      return { ...spent };
    },
    mark() {
      usage(false);
      for (const name of Object.keys(spent)) spent[name] = 0;
    },
    samples: () => samples,
  };
}

const OWN = 'load command';
/** Without its children, which have names of their own or are not of the load. */
function ownUsage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, memoryBytes: process.memoryUsage.rss() };
}

/** Where the processes tell their metrics. Those without an API listen on a port that their environment names. */
function metricsUrls({ pids, status }: Installation, ports: Map<number, string>): string[] {
  const { commandUrls, queryUrls } = status;
  const others = Object.entries(pids())
    .filter(([name]) => /^(matching-engine|projectors)/.test(name))
    .flatMap(([, pid]) => {
      const port = ports.get(pid) ?? environmentOf(pid)['HEALTH_PORT'];
      if (port === undefined) return [];
      ports.set(pid, port);
      return [`http://127.0.0.1:${port}`];
    });
  return [...commandUrls, ...queryUrls, ...others].map((url) => `${url}/metrics`);
}

function environmentOf(pid: number): Record<string, string> {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return Object.fromEntries(
      variables.map((text) => [text.split('=', 1)[0], text.slice(text.indexOf('=') + 1)]),
    );
  } catch {
    return {}; // It ended meanwhile, or there is no `/proc`.
  }
}

const scraped = async (url: string): Promise<string> => {
  const reply = await mayFail(
    fetch(url, { signal: AbortSignal.timeout(SCRAPE_TIMEOUT_MS) }).then((it) => it.text()),
    'a process that was killed tells nothing until it is back',
  );
  return reply ?? '';
};

/** What the metrics of all processes say of the stages. */
export function stagesIn(text: string): Pick<Sample, 'lag' | 'done'> {
  const all = (name: string): number[] =>
    Array.from(text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm')), ([, value]) =>
      Number(value),
    );
  const most = (values: readonly number[]) => (values.length > 0 ? Math.max(...values) : undefined);
  const sum = (values: readonly number[]) =>
    values.length > 0 ? values.reduce((total, value) => total + value, 0) : undefined;
  const positions = all('brokerx_projection_position');
  const lags = all('brokerx_projection_lag');
  const head = most(positions.map((position, index) => position + (lags[index] ?? 0)));
  const marketData = most(all('brokerx_market_data_position'));
  const lag = {
    match: most(all('brokerx_engine_lag_positions')),
    settlement: most(all('brokerx_settlement_lag')),
    view: most(lags),
    'market data': head === undefined || !marketData ? undefined : Math.max(0, head - marketData),
  };
  const done = {
    match: sum(all('brokerx_engine_inputs_total')),
    settlement: sum(all('brokerx_settled_facts_total')),
    view: sum(all('brokerx_projection_events_total')),
  };
  return { lag: present(lag), done: present(done) };
}

const present = (values: Record<string, number | undefined>) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<
    Record<LagStage, number>
  >;
