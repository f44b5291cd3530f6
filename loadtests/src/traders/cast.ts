import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Api, ApiError } from '@brokerx/client';
import { z } from 'zod';
import { type Person, register, signIn } from '../people.ts';

/**
 * The sign-ins of the simulated traders. They are saved before the registration, so that every later start signs the same
 * traders in again, even if the first one was cut short. Users may sign in as one of them to look around.
 */
const Cast = z.object({
  people: z
    .array(
      z.object({
        name: z.string(),
        email: z.string(),
        password: z.string(),
        /** Whether the address is not registered yet, so that no sign-in is tried, of which only a few may fail. */
        isNew: z.boolean().optional(),
      }),
    )
    .min(1),
});
export type Cast = z.infer<typeof Cast>;
type Member = Cast['people'][number];

const NAMES = ['Mia Maker', 'Tom Taker', 'Tess Taker'] as const;

/** Loads the cast from its file, or makes a new one. */
export function loadCast(file: string): Cast {
  try {
    return Cast.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const cast: Cast = { people: NAMES.map(newMember) };
  save(file, cast);
  return cast;
}

/** Signs a trader in, or registers him if his address is unknown. */
export async function signInOrRegister(api: Api, file: string, cast: Cast, index: number): Promise<Person> {
  const { isNew = false, ...member } = cast.people[index] as Member;
  const { name, email, password } = member;
  try {
    if (!isNew) return await signIn(api, email, password);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'WRONG_CREDENTIALS') throw error;
  }
  // Saved before the registration: if this process is killed after it, the next start signs in.
  cast.people[index] = member;
  save(file, cast);
  try {
    return await register(api, { name, email, password });
  } catch (error) {
    // A registration that was cut short may hold the address, so the next attempt uses another one.
    cast.people[index] = newMember(name);
    save(file, cast);
    throw error;
  }
}

/** A trader with a new address: the data may have been deleted without this file, or this file without the data. */
function newMember(name: string): Member {
  const suffix = randomBytes(3).toString('hex');
  return {
    name,
    email: `${name.split(' ')[0]?.toLowerCase()}.${suffix}@traders.test`,
    password: `${randomBytes(9).toString('base64url')}-demo`,
    isNew: true,
  };
}

function save(file: string, cast: Cast): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(cast, undefined, 2), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
