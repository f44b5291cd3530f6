import type { EventStore, Filter } from '../eventStore/eventStore.ts';
import { isOfThisPast, standing } from '../eventStore/past.ts';
import type { HotView } from './hotStore.ts';

/**
 * A view for reading that is empty while the stored one is damaged, or belongs to another store or to another past of this
 * store: the writer will write it anew.
 */
export type OwnView = Pick<HotView, 'read' | 'onChange'>;

/** Makes a view safe to read. */
export function ofOwnPast(
  view: HotView,
  store: Pick<EventStore<unknown>, 'id' | 'head' | 'readAll'>,
  /** The events that the view is made from. */
  filter: Filter,
): OwnView {
  const isOurs = standing(
    async ({ storeId, position, landmark }) =>
      storeId === store.id && (await isOfThisPast(store, { position, landmark: landmark ?? null }, filter)),
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

/** Whether a value is JSON of an object or list. A damaged one is replaced by the next change, or after some minutes. */
function isReadable(value: string | null): boolean {
  if (value === null) return true;
  try {
    const parsed = JSON.parse(value) as unknown;
    return typeof parsed === 'object' && parsed !== null;
  } catch {
    return false;
  }
}
