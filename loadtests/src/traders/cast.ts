import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { type Api, ApiError } from '../client.ts';
import { type Person, register, signIn } from '../people.ts';

/**
 * Who the simulated traders are. Written down before they are registered, so that every later start signs the same
 * people in again, also when the first one was cut short. People may use these sign-ins to look around.
 */
const Cast = z.object({
  people: z.array(z.object({ name: z.string(), email: z.string(), password: z.string() })).min(1),
});
export type Cast = z.infer<typeof Cast>;

const NAMES = ['Mia Maker', 'Tom Taker', 'Tess Taker'] as const;

export function castIn(file: string): Cast {
  try {
    return Cast.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // The house may have been deleted without its history: fresh addresses never meet old accounts.
  const house = randomBytes(3).toString('hex');
  const cast: Cast = {
    people: NAMES.map((name) => ({
      name,
      email: `${name.split(' ')[0]?.toLowerCase()}.${house}@traders.test`,
      password: `${randomBytes(9).toString('base64url')}-demo`,
    })),
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(cast, undefined, 2), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return cast;
}

/** Signs in, or registers whoever is not known yet. */
export async function enter(api: Api, { name, email, password }: Cast['people'][number]): Promise<Person> {
  try {
    return await signIn(api, email, password);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'WRONG_CREDENTIALS') throw error;
    return register(api, { name, email, password });
  }
}
