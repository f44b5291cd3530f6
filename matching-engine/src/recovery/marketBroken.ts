/** A symbol's market must stop: the engine failed on an input, or its outputs differ from the stored ones. */
export class MarketBroken extends Error {
  override name = 'MarketBroken';
}
