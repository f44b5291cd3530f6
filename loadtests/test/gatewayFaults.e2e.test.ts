import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorsHeardElsewhere } from '@brokerx/client';
import { afterEach, describe, expect, inject, test } from 'vitest';
import { ask, freePort, type Gateway, HAS_IPV6, startGateway } from './gateway.ts';
import { deafApi, goesAway, type ScriptedApi, says, scriptedApi } from './scriptedApi.ts';

const canMakeCertificates = spawnSync('openssl', ['version']).status === 0;

/** The gateway in front of APIs that misbehave, and behind clients that do. */
const nginx = inject('nginx');

describe.runIf(nginx !== null)('nginx', () => {
  const resources: (ScriptedApi | { close(): Promise<void> })[] = [];
  afterEach(async () => {
    for (const resource of resources.splice(0)) await resource.close();
  });
  const api = async (...args: Parameters<typeof scriptedApi>) => {
    const server = await scriptedApi(...args);
    resources.push(server);
    return server;
  };
  const gatewayTo = async (env: Record<string, string>): Promise<Gateway> => {
    const gateway = await startGateway(nginx ?? '', env);
    resources.unshift({ close: gateway.stop });
    return gateway;
  };
  const key = { 'idempotency-key': 'b0d47e3c-6ab1-4f9f-9d6b-0f3e2f0d5a11' };

  test('a command with a key is sent again elsewhere, one without is not once it may have been seen', async () => {
    const [dying, well] = [await api(goesAway), await api(says('done'))];
    const { url } = await gatewayTo({ GATEWAY_COMMAND_APIS: `${dying.address},${well.address}` });
    const statuses = { keyed: new Set<number>(), once: new Set<number>() };
    for (let number = 0; number < 12; number += 1) {
      const headers = { ...key, authorization: `Bearer ${number}` };
      for (const [kind, path] of [
        ['keyed', '/v1/orders'],
        ['once', '/v1/sessions'],
      ] as const) {
        const options = {
          method: 'POST',
          headers: kind === 'keyed' ? headers : { authorization: `Bearer ${number}` },
        };
        statuses[kind].add((await ask(`${url}${path}`, { ...options, body: '{}' })).status);
      }
    }
    expect(statuses.keyed).toEqual(new Set([200]));
    expect(statuses.once).toEqual(new Set([200, 502]));
    // Each sign-in was seen by exactly one of the two.
    const signIns = [...dying.requests, ...well.requests].filter(({ url: path }) => path === '/v1/sessions');
    expect(signIns).toHaveLength(12);
    expect(dying.requests.some(({ url: path }) => path === '/v1/orders')).toBe(true);
  });

  test('where nobody listens, any command goes elsewhere; where nobody is left, a problem says so', async () => {
    const well = await api(says('done'));
    const nobody = `127.0.0.1:${await freePort()}`;
    const { url } = await gatewayTo({
      GATEWAY_COMMAND_APIS: `${nobody},${well.address}`,
      GATEWAY_QUERY_APIS: nobody,
    });
    for (let number = 0; number < 8; number += 1) {
      const headers = { authorization: `Bearer ${number}` };
      expect((await ask(`${url}/v1/sessions`, { method: 'POST', headers, body: '{}' })).status).toBe(200);
    }
    const { status, problem, headers } = await ask(`${url}/v1/symbols`);
    expect([status, problem.code, problem.retryable, headers['retry-after']]).toEqual([
      502,
      'BAD_GATEWAY',
      true,
      '1',
    ]);
  });

  test('an API that cannot be connected to, as when its machine is gone, is passed over by any command', async () => {
    const [gone, well] = [await deafApi(), await api(says('done'))];
    resources.push(gone);
    const { url } = await gatewayTo({ GATEWAY_COMMAND_APIS: `${gone.address},${well.address}` });
    const signIns = Array.from({ length: 8 }, (_, number) => {
      const headers = { authorization: `Bearer ${number}` };
      return ask(`${url}/v1/sessions`, { method: 'POST', headers, body: '{}' });
    });
    expect((await Promise.all(signIns)).map(({ status }) => status)).toEqual(signIns.map(() => 200));
  });

  test('the API is told the client’s address, whatever he says himself; a balancer that is trusted may say it', async () => {
    const well = await api(says('done'));
    const env = { GATEWAY_QUERY_APIS: well.address, GATEWAY_TRUSTED_PROXIES: '127.0.0.9' };
    const { url, port } = await gatewayTo(env);
    const headers = {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.example',
      'x-real-ip': '203.0.113.9',
      forwarded: 'for=203.0.113.9',
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    };
    await ask(`${url}/v1/symbols`, { headers, from: '127.0.0.2' });
    const balanced = await ask(`${url}/v1/symbols`, { headers, from: '127.0.0.9' });
    expect(balanced.headers['strict-transport-security']).toBe('max-age=31536000');
    const forwarded = well.requests.map(({ headers: seen }) => ({
      for: seen['x-forwarded-for'],
      proto: seen['x-forwarded-proto'],
      host: seen['x-forwarded-host'],
      others: [seen['x-real-ip'], seen.forwarded],
      traceparent: seen.traceparent,
    }));
    const same = {
      host: `127.0.0.1:${port}`,
      others: [undefined, undefined],
      traceparent: headers.traceparent,
    };
    expect(forwarded).toEqual([
      { ...same, for: '127.0.0.2', proto: 'http' },
      { ...same, for: '203.0.113.9', proto: 'https' },
    ]);
  });

  test.runIf(canMakeCertificates)('with a certificate it speaks TLS, and the API is told so', async () => {
    const well = await api(says('done'));
    const folder = mkdtempSync(join(tmpdir(), 'brokerx-tls-'));
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'fullchain.pem')];
    const requestArgs = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '1',
    ];
    execFileSync('openssl', [...requestArgs, '-subj', '/CN=127.0.0.1', '-keyout', key, '-out', certificate], {
      stdio: 'ignore',
    });
    const { url } = await gatewayTo({
      GATEWAY_QUERY_APIS: well.address,
      GATEWAY_TLS_KEY: key,
      GATEWAY_TLS_CERTIFICATE: certificate,
    });
    const { status, headers } = await ask(`${url}/v1/symbols`);
    expect([status, headers['strict-transport-security']]).toEqual([200, 'max-age=31536000']);
    expect(well.requests[0]?.headers['x-forwarded-proto']).toBe('https');
    await expect(ask(`${url.replace('https', 'http')}/v1/symbols`)).resolves.toMatchObject({ status: 400 });
    rmSync(folder, { recursive: true });
  });

  test('an address that asks too much is refused, another is not', async () => {
    const well = await api(says('done'));
    const { url } = await gatewayTo({
      GATEWAY_COMMAND_APIS: well.address,
      GATEWAY_PUBLIC_PER_MINUTE_MAX: '1',
    });
    const signIn = (from: string) => ask(`${url}/v1/sessions`, { method: 'POST', from, body: '{}' });
    const burst = await Promise.all(Array.from({ length: 130 }, () => signIn('127.0.0.2')));
    const refused = burst.filter(({ status }) => status === 429);
    expect(burst.length - refused.length).toBe(101);
    expect(refused[0]?.problem).toMatchObject({ code: 'RATE_LIMITED', status: 429, retryable: true });
    expect(refused[0]?.headers['retry-after']).toBe('1');
    expect((await signIn('127.0.0.3')).status).toBe(200);
    // Commands of signed-in clients are not limited by this.
    expect((await ask(`${url}/v1/orders`, { method: 'POST', from: '127.0.0.2' })).status).toBe(200);
  });

  test.runIf(HAS_IPV6)('an IPv6 subscriber has many addresses and is bounded as one', async () => {
    const well = await api(says('done'));
    const { port } = await gatewayTo({
      GATEWAY_COMMAND_APIS: well.address,
      GATEWAY_PUBLIC_PER_MINUTE_MAX: '1',
      GATEWAY_TRUSTED_PROXIES: '::1',
    });
    const signIn = async (address: string) => {
      const options = { method: 'POST', headers: { 'x-forwarded-for': address }, body: '{}' };
      return (await ask(`http://[::1]:${port}/v1/sessions`, options)).status;
    };
    const signInsFrom = (network: string, count: number) =>
      Promise.all(Array.from({ length: count }, (_, host) => signIn(`2001:db8:0:${network}::${host + 1}`)));
    expect((await signInsFrom('1', 130)).filter((status) => status === 200)).toHaveLength(101);
    expect(await signInsFrom('2', 2)).toEqual([200, 200]);
  });

  test('streams are passed on as they come, WebSockets both ways, and so many to an address', async () => {
    const endless = await api((_request, reply) => void reply.writeHead(200, SSE).write('data: 1\n\n'), {
      echoes: true,
    });
    const { port } = await gatewayTo({ GATEWAY_QUERY_APIS: endless.address, GATEWAY_STREAMS_MAX: '2' });
    const head = (more: string) => `GET /v1/streams/symbols/ACME HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
    const upgrade = head('Connection: Upgrade\r\nUpgrade: websocket\r\n');
    const socket = await talk(port, upgrade);
    await expect.poll(() => socket.received()).toMatch(/^HTTP\/1\.1 101 /);
    socket.say('ping');
    await expect.poll(() => socket.received()).toMatch(/\r\n\r\nping$/);
    const stream = await talk(port, head(''));
    await expect.poll(() => stream.received()).toContain('data: 1');
    const third = await talk(port, head(''));
    await expect.poll(() => third.received()).toMatch(/^HTTP\/1\.1 429 .*"code":"RATE_LIMITED"/s);
    for (const { hangUp } of [socket, stream, third]) hangUp();
  });

  test('a client that sends byte by byte costs the API nothing, and is cut off', async () => {
    const well = await api(says('done'));
    const { port, url } = await gatewayTo({ GATEWAY_COMMAND_APIS: well.address });
    const slow = await talk(
      port,
      `POST /v1/orders HTTP/1.1\r\nHost: a\r\nIdempotency-Key: ${key['idempotency-key']}\r\nContent-Length: 1000\r\n\r\n{`,
    );
    expect((await ask(`${url}/v1/orders`, { method: 'POST', headers: key, body: '{}' })).status).toBe(200);
    // nginx waits 10 s for the next byte.
    await expect.poll(() => slow.isOpen()).toBe(false);
    expect(well.requests).toHaveLength(1);
  });
});

const SSE = { 'content-type': 'text/event-stream' };

/** Opens a raw connection and sends the first text. */
async function talk(port: number, opening: string) {
  let received = '';
  let isOpen = true;
  const socket = connect(port, '127.0.0.1');
  socket.once('close', () => {
    isOpen = false;
  });
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    received += chunk;
  });
  errorsHeardElsewhere(socket);
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  socket.write(opening);
  return {
    received: () => received,
    isOpen: () => isOpen,
    say: (text: string) => socket.write(text),
    hangUp: () => socket.destroy(),
  };
}
