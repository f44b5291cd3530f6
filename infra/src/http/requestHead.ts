import type { IncomingMessage } from 'node:http';
import { Problem } from './problem.ts';
import { type ReadyReply, readyReply } from './readyReply.ts';

/** The reply that refuses a request whose head HTTP forbids; null if the head is valid. */
export function headRefusal({ httpVersion, headers, rawHeaders }: IncomingMessage): ReadyReply | null {
  if (httpVersion !== '1.1') return null;
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && isHost(name)).length;
  if (hosts !== 1) return hosts === 0 ? NO_HOST : SEVERAL_HOSTS;
  const { expect } = headers;
  return expect === undefined || CONTINUE.test(expect) ? null : UNKNOWN_EXPECTATION;
}

const isHost = (name: string) => name.length === HOST.length && name.toLowerCase() === HOST;
const HOST = 'host';
const CONTINUE = /^100-continue$/i;

/** Closes the connection: a proxy in front may have understood another host, so nothing else on it can be trusted. */
const badHead = (detail: string) =>
  readyReply(
    new Problem({
      status: 400,
      code: 'BAD_REQUEST',
      title: 'The request was not understood.',
      detail,
      headers: { connection: 'close' },
    }),
  );
const NO_HOST = badHead('the header Host is missing');
const SEVERAL_HOSTS = badHead('there is more than one header Host');
const UNKNOWN_EXPECTATION = readyReply(
  new Problem({
    status: 417,
    code: 'EXPECTATION_FAILED',
    title: 'What the header Expect asks for cannot be done.',
    detail: 'only 100-continue can be expected',
  }),
);
