/**
 * The position token that a command's reply carries (`X-BrokerX-Position`): the store's id and a position in it. A
 * query with `min_position` waits until its data reflects that position. A token of another store is refused.
 */
export type PositionToken = { storeId: string; position: number };

export const formatPosition = ({ storeId, position }: PositionToken): string => `${storeId}:${position}`;

const TOKEN = /^([0-9a-f-]{36}):(\d{1,15})$/;
export function parsePosition(text: string): PositionToken | undefined {
  const match = TOKEN.exec(text);
  return match?.[1] ? { storeId: match[1], position: Number(match[2]) } : undefined;
}
