import type { Cursor, Past } from '@brokerx/infra';
import { invalidParameter, refused } from '../http/problems.ts';

/**
 * Wraps a list's own page token, which names a row, for the client: the wrapped one names, too, the commit that the page
 * reflected. Rows have their places in one past of one store; with a token from another past, the next page could leave rows out.
 */
export type PageTokens = {
  /** Wraps the list's token for a page that reflects this position. */
  toClient(token: string, position: number): Promise<string>;
  /**
   * The key in a client's token. Throws `FOREIGN_POSITION` where the store does not have that past, and `INVALID_REQUEST` where
   * it is no token of this list.
   */
  keyOf<K>(clientToken: string, keyOf: (token: string) => K | undefined): Promise<K>;
};

export function pageTokens(past: Past): PageTokens {
  return {
    async toClient(token, position) {
      const { landmark } = await past.cursor(position);
      const parts = [token, past.storeId, position, landmark?.position ?? '', landmark?.commitId ?? ''];
      return Buffer.from(parts.join(':')).toString('base64url');
    },
    async keyOf(clientToken, keyOf) {
      const [, token, storeId = '', position, at, commitId] =
        PARTS.exec(Buffer.from(clientToken, 'base64url').toString()) ?? [];
      const key = token === undefined ? undefined : keyOf(token);
      if (key === undefined) throw invalidParameter('#/query/page_token', NOT_ONE);
      const landmark = at && commitId ? { landmark: { position: Number(at), commitId } } : {};
      const cursor: Cursor = { storeId, position: Number(position), ...landmark };
      if (await past.stands(cursor)) return key;
      throw refused(
        'FOREIGN_POSITION',
        storeId === past.storeId ? PUT_BACK : ofAnother(storeId, past.storeId),
      );
    },
  };
}

const PARTS = /^([A-Za-z0-9_-]*):([0-9a-f-]{36}):(\d{1,15}):(\d{0,15}):([0-9a-f-]{0,36})$/;
const NOT_ONE = '`next` of an earlier page of this list, of this version: ask again from the first page';
const PUT_BACK =
  'the page token is of a state that the event store was put back from: ask again from the first page';
const ofAnother = (storeId: string, ours: string) =>
  `the page token is of store ${storeId}, this is store ${ours}: ask again from the first page`;
