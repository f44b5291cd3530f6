import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

/** A deployment or a rollback. The file lists them, oldest first, so that a rollback finds the image before. */
const Release = z.object({
  at: z.string(),
  what: z.enum(['deploy', 'rollback']),
  /** The image of each role that was changed. */
  tags: z.record(z.string(), z.string()),
});
export type Release = z.infer<typeof Release>;

/** Releases in the file, of some hundred bytes each: two a week for a year. */
const RELEASES_MAX = 100;

export function readReleases(path: string): Release[] {
  if (!existsSync(path)) return [];
  return z.array(Release).parse(JSON.parse(readFileSync(path, 'utf8')));
}

export function addRelease(path: string, release: Release): void {
  const newest = [...readReleases(path), release].slice(-RELEASES_MAX);
  writeFileSync(`${path}.new`, `${JSON.stringify(newest, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}

/**
 * The image that a role ran before its present one; undefined if there is none. It is never an image that a rollback has
 * left.
 */
export function previousTag(releases: readonly Release[], role: string): string | undefined {
  const tagsInTurn: string[] = [];
  for (const { what, tags } of releases) {
    const tag = tags[role];
    if (tag === undefined) continue;
    const before = tagsInTurn.lastIndexOf(tag);
    if (what === 'rollback' && before >= 0) tagsInTurn.length = before + 1;
    else if (tagsInTurn.at(-1) !== tag) tagsInTurn.push(tag);
  }
  return tagsInTurn.at(-2);
}
