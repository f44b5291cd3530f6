/**
 * Counts places for things that are open under a name. A name has its place from the moment of its request, so what is
 * still being opened counts; a name that is opened again counts once.
 */
export type Places = {
  /**
   * Takes a place for each name; null: there is no room. The caller runs the returned function once the names are open, or
   * have failed to open.
   */
  claim(names: Iterable<string>): (() => void) | null;
};

export function places(open: ReadonlyMap<string, unknown>, max: number): Places {
  const claimed = new Set<ReadonlySet<string>>();
  let underWay = 0;
  return {
    claim(requested) {
      const names = new Set(requested);
      // Opening the same name over and over takes no further place, but it takes work.
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
