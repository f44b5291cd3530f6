import { ContainersFailed } from './containers.ts';
import { type Role, rolesNamed, SERVERS } from './roles.ts';
import { type Failure, type RollOutOptions, rollOut, type Step, startServers } from './rollOut.ts';

/** A deployment, and the way back from one. Both report what they do, and return whether they succeeded. */
export type Deployment = RollOutOptions & {
  /** The image that a role runs now; undefined if it was never deployed. */
  currentTag(role: Role): string | undefined;
  /** The image that the role ran before; undefined if there is none. */
  previousTag(role: Role): string | undefined;
  /** Records what was deployed or rolled back. */
  record(what: 'deploy' | 'rollback', tags: Record<string, string>): void;
};

/** The deployment cannot begin. The message says why, and what to do. */
export class DeploymentRefused extends Error {
  override name = 'DeploymentRefused';
}

export async function deploy(
  deployment: Deployment,
  names: readonly string[],
  tag: string,
): Promise<boolean> {
  const { containers, say } = deployment;
  const services = await containers.services();
  const roles = rolesOrRefusal(names, services);
  if (!(await containers.hasImage(tag))) {
    say(`building the image ${tag}`);
    await containers.build(tag);
  }
  const server = await startServers(
    SERVERS.filter((it) => services.includes(it)),
    deployment,
  );
  if (server) return reportFailure(deployment, server);
  const tagsBefore = new Map(roles.map((role) => [role, deployment.currentTag(role)]));
  const { done, failed } = await rollOut(
    roles.map((role) => ({ role, tag })),
    deployment,
  );
  if (!failed) {
    deployment.record('deploy', tagsOf(done));
    say(`deployed ${tag}: ${roles.map(({ name }) => name).join(', ')}`);
    return true;
  }
  await reportFailure(deployment, failed);
  const stepsBack = [...done, failed.step].toReversed().flatMap(({ role }): Step[] => {
    const earlier = role.isOneWay ? undefined : tagsBefore.get(role);
    return earlier === undefined ? [] : [{ role, tag: earlier }];
  });
  if (stepsBack.length === 0) {
    say('nothing ran before that could be gone back to: the services are left as they are');
    return false;
  }
  say(`going back: ${described(stepsBack)}`);
  const returned = await rollOut(stepsBack, deployment);
  if (returned.failed) await reportFailure(deployment, returned.failed);
  else say('all services are as they were before');
  return false;
}

/** Goes back to a named image, or each role to the image that it ran before. */
export async function rollBack(
  deployment: Deployment,
  names: readonly string[],
  tag?: string,
): Promise<boolean> {
  const { containers, say } = deployment;
  const roles = rolesOrRefusal(names, await containers.services());
  const steps = roles.toReversed().flatMap((role): Step[] => {
    const earlier = role.isOneWay ? undefined : (tag ?? deployment.previousTag(role));
    return earlier === undefined || earlier === deployment.currentTag(role) ? [] : [{ role, tag: earlier }];
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
  const { done, failed } = await rollOut(steps, deployment);
  if (done.length > 0) deployment.record('rollback', tagsOf(done));
  if (failed) return reportFailure(deployment, failed);
  say('rolled back');
  return true;
}

function rolesOrRefusal(names: readonly string[], services: readonly string[]): Role[] {
  try {
    return rolesNamed(names, services);
  } catch (cause) {
    throw new DeploymentRefused((cause as Error).message, { cause });
  }
}

async function reportFailure(
  { containers, say }: Pick<Deployment, 'containers' | 'say'>,
  { service, why }: Pick<Failure, 'service' | 'why'>,
): Promise<false> {
  const logLines = await containers.lastLogLines(service).catch((error: unknown) => {
    if (error instanceof ContainersFailed) return error.message;
    throw error;
  });
  say(`${service} failed: ${why}\n${logLines}`);
  return false;
}

const tagsOf = (steps: readonly Step[]) => Object.fromEntries(steps.map(({ role, tag }) => [role.name, tag]));
const described = (steps: readonly Step[]) =>
  steps.map(({ role, tag }) => `${role.name} to ${tag}`).join(', ');
