/**
 * A topic may be made anew beside the one that there is, under the same name with a number behind it: where its partition
 * count is another one, and where the event store is put back to an earlier state. The newest generation is the one
 * that is filled and read; the first has the plain name.
 */
export const generationName = (name: string, generation: number): string =>
  generation === 1 ? name : `${name}.${generation}`;

/** The newest generation of this topic among these names, at least `least`. */
export function newestGeneration(names: readonly string[], name: string, least: number): number {
  const found = names.map((other) => generationIn(other, name));
  return Math.max(least, ...found);
}

/** Which generation of a topic the name is of; 0: none. */
function generationIn(other: string, name: string): number {
  if (other === name) return 1;
  const behind = other.startsWith(`${name}.`) ? other.slice(name.length + 1) : '';
  return NUMBER.test(behind) ? Number(behind) : 0;
}
const NUMBER = /^([2-9]|[1-9]\d{1,8})$/;
