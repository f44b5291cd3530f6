import type { NastyRequest } from './nastyInput.ts';

/**
 * Samples one in `every` of the wrong values of each place, other ones at each place. So after `every` places of a kind each
 * wrong value has been used. Well-formed requests are all kept.
 */
export function* sampleOf(
  requests: Iterable<NastyRequest>,
  { every, seed }: Sampling,
): Generator<NastyRequest> {
  const places = new Map<string, Set<string>>();
  let current = { place: '', index: 0 };
  for (const request of requests) {
    const place = placeOf(request);
    if (request.wrong === null || place === null) {
      yield request;
      continue;
    }
    const placesOfKind = places.get(request.wrong.kind) ?? new Set();
    places.set(request.wrong.kind, placesOfKind.add(place));
    current = { place, index: current.place === place ? current.index + 1 : 0 };
    if ((current.index + placesOfKind.size + seed) % every === 0) yield request;
  }
}
export type Sampling = { every: number; seed: number };

/** The operation and the place that is wrong; null if none is. */
export const placeOf = ({ method, route, wrong }: NastyRequest): string | null =>
  wrong && `${method} ${route}: ${wrong.kind} ${wrong.name}`;
