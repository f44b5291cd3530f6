import type { NastyRequest } from './nastyInput.ts';

/**
 * One in `every` of what is wrong with each place, other values at each: once there were so many places of a kind, each
 * value of it was met. Requests that are as they should be all stay.
 */
export function* sampleOf(
  requests: Iterable<NastyRequest>,
  { every, seed }: Sampling,
): Generator<NastyRequest> {
  const places = new Map<string, Set<string>>();
  let at = { place: '', value: 0 };
  for (const request of requests) {
    const place = placeOf(request);
    if (request.wrong === null || place === null) {
      yield request;
      continue;
    }
    const known = places.get(request.wrong.kind) ?? new Set();
    places.set(request.wrong.kind, known.add(place));
    at = { place, value: at.place === place ? at.value + 1 : 0 };
    if ((at.value + known.size + seed) % every === 0) yield request;
  }
}
export type Sampling = { every: number; seed: number };

/** Where in which request something is wrong; null: nowhere. */
export const placeOf = ({ method, route, wrong }: NastyRequest): string | null =>
  wrong && `${method} ${route}: ${wrong.kind} ${wrong.name}`;
