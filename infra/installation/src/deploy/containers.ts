/** What a deployment needs of Docker. */
export type Containers = {
  hasImage(tag: string): Promise<boolean>;
  /** Throws `ContainersFailed` when it does not come about. */
  build(tag: string): Promise<void>;
  /** Names of the services that are to run here, by the profiles that are on. */
  services(): Promise<readonly string[]>;
  /** Creates what is absent, replaces what is other than it should be, starts what stands still. Does not wait. */
  start(services: readonly string[]): Promise<void>;
  state(service: string): Promise<ContainerState>;
  /** Runs a command in it; throws `ContainersFailed` for any exit code but 0. */
  execute(service: string, command: readonly string[]): Promise<void>;
  /** The end of what it said. */
  lastWords(service: string): Promise<string>;
};

/** `finished`: ended as it should. `failed`: ended otherwise, or is started again and again. */
export type ContainerState = 'absent' | 'starting' | 'ready' | 'finished' | 'failed';

/** Docker could not do it; the message is Docker's own. */
export class ContainersFailed extends Error {
  override name = 'ContainersFailed';
}
