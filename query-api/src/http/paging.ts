import { SymbolName } from '@brokerx/contracts';

/**
 * Pages by key: a page's token names the last row that was given, so pages neither skip nor repeat rows while
 * others are added. A token is opaque to clients and good for the list it came from alone.
 */
export const PAGE_MAX = 200;
export const PAGE_DEFAULT = 50;

export type Page<T> = { items: T[]; next: string | null };

export const pageToken = (list: string, key: string | number): string =>
  Buffer.from(`${list}:${key}`).toString('base64url');

/** The key in a token of this list; undefined when it is not one. */
export function keyOfToken(list: string, token: string): string | undefined {
  const text = Buffer.from(token, 'base64url').toString();
  if (Buffer.from(text).toString('base64url') !== token) return undefined;
  return text.startsWith(`${list}:`) ? text.slice(list.length + 1) : undefined;
}

/** The same for lists whose key is a symbol. */
export function symbolOfToken(list: string, token: string): string | undefined {
  return SymbolName.safeParse(keyOfToken(list, token)).data;
}

/** The same for lists whose key is a position in the store. */
export function positionOfToken(list: string, token: string): number | undefined {
  const key = keyOfToken(list, token);
  return key !== undefined && /^\d{1,15}$/.test(key) ? Number(key) : undefined;
}

/** Of `limit + 1` rows that were asked for, the page and the token of the next one. */
export function pageOf<R, T>(
  list: string,
  limit: number,
  rows: readonly R[],
  keyOf: (row: R) => string | number,
  view: (row: R) => T,
): Page<T> {
  const given = rows.slice(0, limit);
  const last = given.at(-1);
  return {
    items: given.map(view),
    next: rows.length > limit && last !== undefined ? pageToken(list, keyOf(last)) : null,
  };
}
