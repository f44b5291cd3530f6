import { SymbolName } from '@brokerx/contracts';

/**
 * Pages by key: a page's token names its last row, so pages neither skip nor repeat rows while others are added. A token is
 * opaque to clients and valid for its own list alone.
 */
export const PAGE_MAX = 200;
export const PAGE_DEFAULT = 50;

export type Page<T> = { items: T[]; next: string | null };

export const pageToken = (list: string, key: string | number): string =>
  Buffer.from(`${list}:${key}`).toString('base64url');

/** The key in a token of this list; undefined where the token is not of this list. */
export function keyOfToken(list: string, token: string): string | undefined {
  const text = Buffer.from(token, 'base64url').toString();
  if (Buffer.from(text).toString('base64url') !== token) return undefined;
  return text.startsWith(`${list}:`) ? text.slice(list.length + 1) : undefined;
}

/** `keyOfToken` for lists whose key is a symbol. */
export function symbolOfToken(list: string, token: string): string | undefined {
  return SymbolName.safeParse(keyOfToken(list, token)).data;
}

/** `keyOfToken` for lists whose key is a position in the store. */
export function positionOfToken(list: string, token: string): number | undefined {
  const key = keyOfToken(list, token);
  return key !== undefined && /^\d{1,15}$/.test(key) ? Number(key) : undefined;
}

/** Makes a page of at most `limit` rows. The query reads `limit + 1` rows: one more than fits says that a page follows. */
export function pageOf<R, T>(
  list: string,
  limit: number,
  rows: readonly R[],
  keyOf: (row: R) => string | number,
  view: (row: R) => T,
): Page<T> {
  const pageRows = rows.slice(0, limit);
  const last = pageRows.at(-1);
  return {
    items: pageRows.map(view),
    next: rows.length > limit && last !== undefined ? pageToken(list, keyOf(last)) : null,
  };
}
