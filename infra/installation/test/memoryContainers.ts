import type { ContainerState, Containers } from '../src/deploy/containers.ts';

/** Containers without Docker: images that exist, services that run one of them, and images that do not work. */
export type MemoryContainers = Containers & {
  /** What was started, in order, as `service=tag`. */
  readonly started: string[];
  readonly executed: string[];
  /** Which image each service runs. */
  running(): Record<string, string>;
};

export function memoryContainers(options: {
  services: readonly string[];
  images: string[];
  /** Images with which a service does not become ready. */
  broken?: Readonly<Record<string, readonly string[]>>;
  /** What a service is to run from its next start on. */
  tagOf(service: string): string;
}): MemoryContainers {
  const { services, images, broken = {}, tagOf } = options;
  const running = new Map<string, string>();
  const started: string[] = [];
  const executed: string[] = [];
  return {
    started,
    executed,
    running: () => Object.fromEntries(running),
    hasImage: async (tag) => images.includes(tag),
    async build(tag) {
      images.push(tag);
    },
    services: async () => services,
    async start(named) {
      for (const service of named) {
        if (running.get(service) === tagOf(service)) continue;
        running.set(service, tagOf(service));
        started.push(`${service}=${tagOf(service)}`);
      }
    },
    async state(service): Promise<ContainerState> {
      const tag = running.get(service);
      if (tag === undefined) return 'absent';
      if (broken[tag]?.includes(service)) return 'failed';
      return ['gateway-config', 'database'].includes(service) ? 'finished' : 'ready';
    },
    async execute(service, command) {
      executed.push(`${service}: ${command.join(' ')}`);
    },
    lastLogLines: async (service) => `the last words of ${service}`,
  };
}
