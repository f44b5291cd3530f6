/** Names of the event store's streams: a category, a dash, and the key. */
export const clientStream = (clientId: string): string => `client-${clientId}`;
export const accountStream = (accountId: string): string => `account-${accountId}`;
export const marketStream = (symbol: string): string => `market-${symbol}`;
export const bookStream = (symbol: string): string => `book-${symbol}`;
export const emailStream = (hmac: string): string => `email-${hmac}`;
export const phoneStream = (hmac: string): string => `phone-${hmac}`;
export const CATEGORIES = ['client', 'account', 'market', 'book', 'email', 'phone'] as const;

/** The key in a stream's name: `account-<id>` → `<id>`. */
export const keyOfStream = (stream: string): string => stream.slice(stream.indexOf('-') + 1);
