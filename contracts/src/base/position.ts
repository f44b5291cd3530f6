/**
 * The position token of a command's reply (`X-BrokerX-Position`): the store's id and a position in it. A query given
 * one (`min_position`) waits until what it reads reflects it; a token of another store is refused.
 */
export type PositionToken = { storeId: string; position: number };

export const formatPosition = ({ storeId, position }: PositionToken): string => `${storeId}:${position}`;

const TOKEN = /^([0-9a-f-]{36}):(\d{1,15})$/;
export function parsePosition(text: string): PositionToken | undefined {
  const match = TOKEN.exec(text);
  return match?.[1] ? { storeId: match[1], position: Number(match[2]) } : undefined;
}
