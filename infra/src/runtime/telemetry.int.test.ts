import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const CALLER = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };

type Sent = {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  links?: { spanId: string }[];
  status: { code?: number };
  kind: number;
};

/** A collector of OTLP over HTTP in JSON, as far as spans go. */
async function collector() {
  const spans: Sent[] = [];
  const paths = new Set<string>();
  const resources: string[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    paths.add(request.url ?? '');
    const sent = JSON.parse(text) as {
      resourceSpans: { resource: unknown; scopeSpans: { spans: Sent[] }[] }[];
    };
    for (const { resource, scopeSpans } of sent.resourceSpans) {
      resources.push(JSON.stringify(resource));
      for (const scope of scopeSpans) spans.push(...scope.spans);
    }
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, spans, paths, resources, close: () => server.close() };
}

async function run(endpoint: string | undefined): Promise<{ seen: string[] }> {
  const script = fileURLToPath(new URL('../../test/traced.ts', import.meta.url));
  const env = endpoint
    ? { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }
    : {};
  const child = spawn(process.execPath, [script, ...(endpoint ? [endpoint] : [])], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data) => {
    output += String(data);
  });
  await new Promise((resolve) => child.once('close', resolve));
  return JSON.parse(output) as { seen: string[] };
}

test('spans arrive with their parents, a batch with its links, and only spans are sent', async () => {
  const { url, spans, paths, resources, close } = await collector();
  const { seen } = await run(url);
  close();
  expect([...paths]).toEqual(['/v1/traces']);
  expect(resources[0]).toContain('"stringValue":"traced"');
  const [append, request, settle, fail] = ['append', 'POST /v1/orders', 'settle', 'fail'].map((name) =>
    spans.find((span) => span.name === name),
  );
  expect(request).toMatchObject({ traceId: CALLER.traceId, parentSpanId: CALLER.spanId, kind: 2 });
  expect(append).toMatchObject({ traceId: CALLER.traceId, parentSpanId: request?.spanId, kind: 4 });
  expect(seen).toEqual([request, append].map((span) => `00-${CALLER.traceId}-${span?.spanId}-01`));
  expect(settle?.traceId).not.toBe(CALLER.traceId);
  expect(settle?.parentSpanId).toBeFalsy();
  expect(settle?.links?.map((link) => link.spanId)).toEqual([request?.spanId, append?.spanId]);
  expect(fail?.status.code).toBe(2);
});

test('without a collector the traceparent of the caller goes on', async () => {
  const { seen } = await run(undefined);
  const caller = `00-${CALLER.traceId}-${CALLER.spanId}-01`;
  expect(seen).toEqual([caller, caller]);
});

test('a collector that is away holds nothing up', async () => {
  const { seen } = await run('http://127.0.0.1:9');
  expect(seen).toHaveLength(2);
});
