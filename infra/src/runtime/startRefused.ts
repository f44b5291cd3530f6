/** What stands in the way of a start, said to a person. */
export class StartRefused extends Error {
  override name = 'StartRefused';
}
