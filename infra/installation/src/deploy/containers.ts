/** The operations on containers that a deployment needs. */
export type Containers = {
  hasImage(tag: string): Promise<boolean>;
  /** Builds the image. Throws `ContainersFailed` if that fails. */
  build(tag: string): Promise<void>;
  /** The names of the services that run here, by the profiles in use. */
  services(): Promise<readonly string[]>;
  /** Creates absent containers, replaces those whose image or settings have changed, starts stopped ones. Does not wait. */
  start(services: readonly string[]): Promise<void>;
  state(service: string): Promise<ContainerState>;
  /** Runs a command in the service's container. Throws `ContainersFailed` for any exit code but 0. */
  execute(service: string, command: readonly string[]): Promise<void>;
  /** The last lines of the service's log. */
  lastLogLines(service: string): Promise<string>;
};

/** `finished`: the container has ended with exit code 0. `failed`: it has ended with another one, or restarts again and again. */
export type ContainerState = 'absent' | 'starting' | 'ready' | 'finished' | 'failed';

/** Docker has failed. The message is mostly Docker's own. */
export class ContainersFailed extends Error {
  override name = 'ContainersFailed';
}
