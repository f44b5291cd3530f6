import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Api, ApiError } from '@brokerx/client';
import { z } from 'zod';
import { type Person, register, signIn } from '../people.ts';

/**
 * Who the simulated traders are. Written down before they are registered, so that every later start signs the same
 * people in again, also when the first one was cut short. People may use these sign-ins to look around.
 */
const Cast = z.object({
  people: z
    .array(
      z.object({
        name: z.string(),
        email: z.string(),
        password: z.string(),
        /** Nobody has this address yet: a sign-in would be one of the few that may fail. */
        isNew: z.boolean().optional(),
      }),
    )
    .min(1),
});
export type Cast = z.infer<typeof Cast>;
type Member = Cast['people'][number];

const NAMES = ['Mia Maker', 'Tom Taker', 'Tess Taker'] as const;

export function castIn(file: string): Cast {
  try {
    return Cast.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const cast: Cast = { people: NAMES.map(newMember) };
  keep(file, cast);
  return cast;
}

/** Signs in, or registers whoever is not known yet. */
export async function enter(api: Api, file: string, cast: Cast, index: number): Promise<Person> {
  const { isNew = false, ...member } = cast.people[index] as Member;
  const { name, email, password } = member;
  try {
    if (!isNew) return await signIn(api, email, password);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'WRONG_CREDENTIALS') throw error;
  }
  // Written down before: whoever is registered and killed signs in at the next start.
  cast.people[index] = member;
  keep(file, cast);
  try {
    return await register(api, { name, email, password });
  } catch (error) {
    // Perhaps a registration that was cut short holds the address: the next try is somebody else.
    cast.people[index] = newMember(name);
    keep(file, cast);
    throw error;
  }
}

/** An address of its own each time: the data may be deleted and this file not, or the other way round. */
function newMember(name: string): Member {
  const house = randomBytes(3).toString('hex');
  return {
    name,
    email: `${name.split(' ')[0]?.toLowerCase()}.${house}@traders.test`,
    password: `${randomBytes(9).toString('base64url')}-demo`,
    isNew: true,
  };
}

function keep(file: string, cast: Cast): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(cast, undefined, 2), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
