/** This symbol cannot go on: the engine failed, or says something else than the book. */
export class MarketBroken extends Error {
  override name = 'MarketBroken';
}
