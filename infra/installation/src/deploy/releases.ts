import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

/** What was deployed and rolled back, oldest first: where a way back leads is read from it. */
const Release = z.object({
  at: z.string(),
  what: z.enum(['deploy', 'rollback']),
  /** The image of each role that was changed. */
  tags: z.record(z.string(), z.string()),
});
export type Release = z.infer<typeof Release>;

/** Some hundred bytes each: a year of two a week. */
const RELEASES_KEPT = 100;

export function readReleases(path: string): Release[] {
  if (!existsSync(path)) return [];
  return z.array(Release).parse(JSON.parse(readFileSync(path, 'utf8')));
}

export function addRelease(path: string, release: Release): void {
  const kept = [...readReleases(path), release].slice(-RELEASES_KEPT);
  writeFileSync(`${path}.new`, `${JSON.stringify(kept, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}

/**
 * The image that a role ran before its present one; undefined when there is none. What was rolled back from is not
 * gone back to.
 */
export function previousTag(releases: readonly Release[], role: string): string | undefined {
  const ran: string[] = [];
  for (const { what, tags } of releases) {
    const tag = tags[role];
    if (tag === undefined) continue;
    const before = ran.lastIndexOf(tag);
    if (what === 'rollback' && before >= 0) ran.length = before + 1;
    else if (ran.at(-1) !== tag) ran.push(tag);
  }
  return ran.at(-2);
}
