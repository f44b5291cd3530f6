import { brokerApi } from '@brokerx/client';
import { expect } from 'vitest';
import { auditInstallation } from '../../src/audit.ts';
import { operatorOf } from '../../src/operator.ts';
import { type Installation, startInstallation } from '../../src/own/installation.ts';
import { AT_ONCE, ask, faultOf } from './nastyAnswers.ts';
import type { Document, NastyRequest } from './nastyInput.ts';
import { placeOf, type Sampling, sampleOf } from './nastySample.ts';
import { nastyWorld } from './nastyWorld.ts';

/** The limit of public requests is raised, because these tests send very many from one address. */
export const nastyInstallation = (): Promise<Installation> =>
  startInstallation({ env: { PUBLIC_REQUESTS_PER_MINUTE_MAX: '1000000' } });

/**
 * Expects that no input leads to 500. It sends wrong values for every parameter and every field of both OpenAPI documents to
 * a real installation, and afterwards audits that everything accepted is shown.
 */
export async function noInputGives500(installation: Installation, sampling: Sampling): Promise<void> {
  const { commandUrl, queryUrl, operatorEmail, operatorPassword } = installation.status;
  const api = brokerApi({ commandUrl, queryUrl });
  const operator = await operatorOf(api, operatorEmail, operatorPassword);
  const { requestsOf, senderOf } = await nastyWorld(api, operator);

  const faults: string[] = [];
  const statuses = new Map<string, Set<number>>();
  const [possible, sent] = [newCoverage(), newCoverage()];
  for (const base of [commandUrl, queryUrl]) {
    const document = (await (await fetch(`${base}/openapi.json`)).json()) as Document;
    const requests = sampleOf(covering(requestsOf(document), possible), sampling);
    const worker = async () => {
      for (const request of covering(requests, sent)) {
        const name = `${request.method} ${request.route}`;
        const answer = await ask(base, request, await senderOf(request).token());
        statuses.set(name, (statuses.get(name) ?? new Set()).add(answer.status));
        const fault = faultOf(answer);
        if (fault)
          faults.push(
            `${placeOf(request)} = ${request.wrong?.value.slice(0, SHOWN_CHARACTERS)} → ${fault.slice(0, 200)}`,
          );
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }
  expect(faults).toEqual([]);
  // Each route was reached: not all of its requests were refused before validation.
  const turnedAway = new Set([401, 403, 429, 503]);
  const unreached = [...statuses].filter(([, seen]) => seen.isSubsetOf(turnedAway));
  expect(unreached).toEqual([]);
  // The sample is large enough: each place was wrong at least once, and each value was used somewhere.
  for (const what of ['routes', 'places', 'values'] as const) {
    const missed = [...possible[what].difference(sent[what])].map((text) => text.slice(0, SHOWN_CHARACTERS));
    expect(missed, what).toEqual([]);
  }

  const audit = await auditInstallation({ api, operator: operator.person });
  expect(audit.findings.list).toEqual([]);
  await api.close();
}

/** How many characters of a value a failure shows. */
const SHOWN_CHARACTERS = 60;

type Coverage = { routes: Set<string>; places: Set<string>; values: Set<string> };
const newCoverage = (): Coverage => ({ routes: new Set(), places: new Set(), values: new Set() });

/** Passes requests on, and notes their routes, wrong places and wrong values. */
function* covering(
  requests: Iterable<NastyRequest>,
  { routes, places, values }: Coverage,
): Generator<NastyRequest> {
  for (const request of requests) {
    routes.add(`${request.method} ${request.route}`);
    if (request.wrong) {
      places.add(`${placeOf(request)}`);
      values.add(`${request.wrong.kind} ${request.wrong.value}`);
    }
    yield request;
  }
}
