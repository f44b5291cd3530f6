import { brokerApi } from '@brokerx/client';
import { expect } from 'vitest';
import { auditInstallation } from '../../src/audit.ts';
import { operatorOf } from '../../src/operator.ts';
import { type Installation, startInstallation } from '../../src/own/installation.ts';
import { AT_ONCE, ask, faultOf } from './nastyAnswers.ts';
import type { Document, NastyRequest } from './nastyInput.ts';
import { placeOf, type Sampling, sampleOf } from './nastySample.ts';
import { nastyWorld } from './nastyWorld.ts';

/** So many requests of one address are what these tests are made of. */
export const nastyInstallation = (): Promise<Installation> =>
  startInstallation({ env: { PUBLIC_REQUESTS_PER_MINUTE_MAX: '1000000' } });

/**
 * No input gives 500: every parameter and every field that the two OpenAPI documents name, with values of every nasty
 * kind, against a real installation; and whatever was taken can be shown, and is audited.
 */
export async function noInputGives500(installation: Installation, sampling: Sampling): Promise<void> {
  const { commandUrl, queryUrl, operatorEmail, operatorPassword } = installation.status;
  const api = brokerApi({ commandUrl, queryUrl });
  const operator = await operatorOf(api, operatorEmail, operatorPassword);
  const { requestsOf, senderOf } = await nastyWorld(api, operator);

  const faults: string[] = [];
  const statuses = new Map<string, Set<number>>();
  const [all, sent] = [met(), met()];
  for (const base of [commandUrl, queryUrl]) {
    const document = (await (await fetch(`${base}/openapi.json`)).json()) as Document;
    const requests = sampleOf(noted(requestsOf(document), all), sampling);
    const worker = async () => {
      for (const one of noted(requests, sent)) {
        const name = `${one.method} ${one.route}`;
        const answer = await ask(base, one, await senderOf(one).token());
        statuses.set(name, (statuses.get(name) ?? new Set()).add(answer.status));
        const fault = faultOf(answer);
        if (fault)
          faults.push(
            `${placeOf(one)} = ${one.wrong?.value.slice(0, TOLD_CHARACTERS)} → ${fault.slice(0, 200)}`,
          );
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }
  expect(faults).toEqual([]);
  // Each route was reached: nobody was turned away at the door every time.
  const turnedAway = new Set([401, 403, 429, 503]);
  const unreached = [...statuses].filter(([, given]) => given.isSubsetOf(turnedAway));
  expect(unreached).toEqual([]);
  // Few requests are enough: each place was wrong once at least, and each value stood somewhere.
  for (const what of ['routes', 'places', 'values'] as const) {
    const missed = [...all[what].difference(sent[what])].map((one) => one.slice(0, TOLD_CHARACTERS));
    expect(missed, what).toEqual([]);
  }

  const audit = await auditInstallation({ api, operator: operator.person });
  expect(audit.findings.list).toEqual([]);
  await api.close();
}

/** How much of a value a failure shows. */
const TOLD_CHARACTERS = 60;

type Met = { routes: Set<string>; places: Set<string>; values: Set<string> };
const met = (): Met => ({ routes: new Set(), places: new Set(), values: new Set() });

function* noted(requests: Iterable<NastyRequest>, { routes, places, values }: Met): Generator<NastyRequest> {
  for (const request of requests) {
    routes.add(`${request.method} ${request.route}`);
    if (request.wrong) {
      places.add(`${placeOf(request)}`);
      values.add(`${request.wrong.kind} ${request.wrong.value}`);
    }
    yield request;
  }
}
