/**
 * Places for what is open under a name, counted from the moment it is asked for: what is still being opened has its place
 * already, and one that is opened again has one place, whatever happens to the first meanwhile.
 */
export type Places = {
  /** A place for each of these names, to be given back once they are open or are not; null: there is no room. */
  claim(names: Iterable<string>): (() => void) | null;
};

export function places(open: ReadonlyMap<string, unknown>, max: number): Places {
  const claimed = new Set<ReadonlySet<string>>();
  let underWay = 0;
  return {
    claim(given) {
      const names = new Set(given);
      // Names that are opened again and again take no place, but work.
      if (underWay + names.size > max) return null;
      const all = new Set([...open.keys(), ...names]);
      for (const others of claimed) for (const name of others) all.add(name);
      if (all.size > max) return null;
      claimed.add(names);
      underWay += names.size;
      return () => {
        if (claimed.delete(names)) underWay -= names.size;
      };
    },
  };
}
