import { ContainersFailed } from './containers.ts';
import { type Role, rolesNamed, SERVERS } from './roles.ts';
import { type Failure, rollOut, type Step, type Surroundings, startServers } from './rollOut.ts';

/** A deployment and a way back, whatever the containers are. Both say what they do and answer whether it came about. */
export type Deployment = Surroundings & {
  /** The image that a role runs now; undefined when it was never deployed. */
  currentTag(role: Role): string | undefined;
  /** The one before; undefined when there is none. */
  previousTag(role: Role): string | undefined;
  /** Told what came about. */
  record(what: 'deploy' | 'rollback', tags: Record<string, string>): void;
};

/** It cannot be begun; the message says why and what to do. */
export class DeploymentRefused extends Error {
  override name = 'DeploymentRefused';
}

export async function deploy(around: Deployment, names: readonly string[], tag: string): Promise<boolean> {
  const { containers, say } = around;
  const services = await containers.services();
  const roles = named(names, services);
  if (!(await containers.hasImage(tag))) {
    say(`building the image ${tag}`);
    await containers.build(tag);
  }
  const server = await startServers(
    SERVERS.filter((it) => services.includes(it)),
    around,
  );
  if (server) return gaveUp(around, server);
  const former = new Map(roles.map((role) => [role, around.currentTag(role)]));
  const { done, failed } = await rollOut(
    roles.map((role) => ({ role, tag })),
    around,
  );
  if (!failed) {
    around.record('deploy', tagsOf(done));
    say(`deployed ${tag}: ${roles.map(({ name }) => name).join(', ')}`);
    return true;
  }
  await gaveUp(around, failed);
  const back = [...done, failed.step].toReversed().flatMap(({ role }): Step[] => {
    const earlier = role.isOneWay ? undefined : former.get(role);
    return earlier === undefined ? [] : [{ role, tag: earlier }];
  });
  if (back.length === 0) {
    say('nothing ran before that could be gone back to: the services are left as they are');
    return false;
  }
  say(`going back: ${described(back)}`);
  const returned = await rollOut(back, around);
  if (returned.failed) await gaveUp(around, returned.failed);
  else say('all services are as they were before');
  return false;
}

/** To a named image, or each role to the one that it ran before. */
export async function rollBack(around: Deployment, names: readonly string[], tag?: string): Promise<boolean> {
  const { containers, say } = around;
  const roles = named(names, await containers.services());
  const steps = roles.toReversed().flatMap((role): Step[] => {
    const earlier = role.isOneWay ? undefined : (tag ?? around.previousTag(role));
    return earlier === undefined || earlier === around.currentTag(role) ? [] : [{ role, tag: earlier }];
  });
  if (steps.length === 0) {
    throw new DeploymentRefused(
      tag === undefined
        ? 'there is no earlier image to go back to: name one, as docker images lists them'
        : `all services run ${tag} already`,
    );
  }
  for (const { tag: earlier } of steps) {
    if (!(await containers.hasImage(earlier))) {
      throw new DeploymentRefused(
        `there is no image ${earlier} here any more: docker images lists those there are`,
      );
    }
  }
  say(`going back: ${described(steps)}`);
  const { done, failed } = await rollOut(steps, around);
  if (done.length > 0) around.record('rollback', tagsOf(done));
  if (failed) return gaveUp(around, failed);
  say('rolled back');
  return true;
}

function named(names: readonly string[], services: readonly string[]): Role[] {
  try {
    return rolesNamed(names, services);
  } catch (cause) {
    throw new DeploymentRefused((cause as Error).message, { cause });
  }
}

async function gaveUp(
  { containers, say }: Pick<Deployment, 'containers' | 'say'>,
  { service, why }: Pick<Failure, 'service' | 'why'>,
): Promise<false> {
  const words = await containers.lastWords(service).catch((error: unknown) => {
    if (error instanceof ContainersFailed) return error.message;
    throw error;
  });
  say(`${service} failed: ${why}\n${words}`);
  return false;
}

const tagsOf = (steps: readonly Step[]) => Object.fromEntries(steps.map(({ role, tag }) => [role.name, tag]));
const described = (steps: readonly Step[]) =>
  steps.map(({ role, tag }) => `${role.name} to ${tag}`).join(', ');
