import type { EventStore, Filter } from '../eventStore/eventStore.ts';
import { isOfThisPast, standing } from '../eventStore/past.ts';
import type { HotView } from './hotStore.ts';

/**
 * A view for reading, of which nothing is given that is of another store, or of another past of this one, or damaged: all
 * three are as if the view were empty, and is written anew.
 */
export type OwnView = Pick<HotView, 'read' | 'onChange'>;

/**
 * A view that was found to be of this past is written on by those who looked at it, too: it is looked at again where it
 * does not go on from there.
 */
export function ofOwnPast(
  view: HotView,
  store: Pick<EventStore<unknown>, 'id' | 'head' | 'readAll'>,
  /** All that the view rests on. */
  wanted: Filter,
): OwnView {
  const isOurs = standing(
    async ({ storeId, position, landmark }) =>
      storeId === store.id && (await isOfThisPast(store, { position, landmark: landmark ?? null }, wanted)),
  );
  return {
    onChange: (listener) => view.onChange(listener),
    async read(keys) {
      const { values, cursor } = await view.read(keys);
      const ours = (await isOurs(cursor)) ? cursor : null;
      return ours && values.every(isReadable)
        ? { values, cursor: ours }
        : { values: keys.map(() => null), cursor: null };
    },
  };
}

/** Values are JSON of objects and lists; a damaged one is replaced with the next change, or at the latest in some minutes. */
function isReadable(value: string | null): boolean {
  if (value === null) return true;
  try {
    const parsed = JSON.parse(value) as unknown;
    return typeof parsed === 'object' && parsed !== null;
  } catch {
    return false;
  }
}
