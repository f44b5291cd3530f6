import type { Attributes, Link, Span, SpanContext, SpanKind } from '@opentelemetry/api';
import type { Log } from './log.ts';
import { type Runtime, realRuntime } from './runtime.ts';
import { formatTraceparent, mintTraceparent, parseTraceparent } from './traceparent.ts';

/**
 * Traces, by hand at our ports: one span for each step that waits or that costs. With no collector configured
 * nothing is loaded and a span is a function call. The context is passed as a `traceparent` and never through the
 * call stack: that one is lost, or is another request's, wherever work is coalesced into batches.
 */
export type Telemetry = {
  /**
   * Runs `work` inside a span and gives it the traceparent to put on events and messages: the span's when tracing
   * is on, else the caller's. Errors are recorded and passed on.
   */
  span<T>(name: string, options: SpanOptions, work: (traceparent: string) => Promise<T>): Promise<T>;
  /** Sends what is left; waits `FLUSH_MS` at most. */
  stop(): Promise<void>;
};

export type SpanOptions = {
  kind?: 'server' | 'client' | 'producer' | 'consumer' | 'internal';
  /** The step that this one is part of; absent or not valid: a trace begins. */
  traceparent?: string | undefined;
  /** For a batch, which has many causes and no parent: at most `LINKS_MAX` of them are kept. */
  links?: readonly (string | undefined)[];
  attributes?: Readonly<Record<string, string | number | boolean>>;
};

/** The SDK keeps no more by default. */
const LINKS_MAX = 128;
/** A collector that hangs must not hold up a process that ends. */
const FLUSH_MS = 2_000;

/** For processes without a collector, and for rebuilds and replays: their events have been traced long ago. */
export function noTelemetry(runtime: Runtime = realRuntime): Telemetry {
  return {
    span: (_name, { traceparent }, work) => work(traceparent ?? mintTraceparent(runtime)),
    stop: async () => {},
  };
}

export type TelemetryOptions = {
  /** As OTEL_EXPORTER_OTLP_ENDPOINT; undefined: off. The SDK reads this and its other variables by itself. */
  endpoint: string | undefined;
  service: string;
  version: string;
  instance?: string | undefined;
  /** Told when the collector cannot be reached. */
  log: Log;
  runtime?: Runtime;
};

export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { endpoint, service, version, instance, log, runtime = realRuntime } = options;
  if (endpoint === undefined) return noTelemetry(runtime);
  const api = await import('@opentelemetry/api');
  const { startNodeSdk } = await import('@opentelemetry/sdk-node');
  const sdk = startNodeSdk({
    logLevel: 'none',
    resourceAttributes: {
      'service.name': service,
      'service.version': version,
      ...(instance ? { 'service.instance.id': instance } : {}),
    },
    // Metrics are scraped and logs collected from standard output; by default both would be sent here as well.
    metricReaders: [],
    logRecordProcessors: [],
  });
  // The SDK would write to standard output, between the lines of our log.
  const warn = (message: string) => log.warn({ detail: message }, 'tracing');
  const silent = () => {};
  const logger = { error: warn, warn, info: silent, debug: silent, verbose: silent };
  api.diag.setLogger(logger, { logLevel: api.DiagLogLevel.WARN, suppressOverrideMessage: true });
  const tracer = api.trace.getTracer('brokerx', version);
  const kinds = {
    internal: api.SpanKind.INTERNAL,
    server: api.SpanKind.SERVER,
    client: api.SpanKind.CLIENT,
    producer: api.SpanKind.PRODUCER,
    consumer: api.SpanKind.CONSUMER,
  } satisfies Record<NonNullable<SpanOptions['kind']>, SpanKind>;
  return {
    span: async (name, { kind = 'internal', traceparent, links = [], attributes = {} }, work) => {
      const parent = remote(traceparent);
      const context = parent ? api.trace.setSpanContext(api.ROOT_CONTEXT, parent) : api.ROOT_CONTEXT;
      // Links are given at the start, where samplers see them.
      const span = tracer.startSpan(
        name,
        { kind: kinds[kind], links: linksOf(links), attributes: { ...attributes } as Attributes },
        context,
      );
      return finish(span, api.SpanStatusCode.ERROR, () => work(traceparentOf(span)));
    },
    stop: async () => {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const cancel = runtime.setTimer(FLUSH_MS, resolve);
      await Promise.race([sdk.shutdown().catch(() => {}), late]);
      cancel();
    },
  };
}

async function finish<T>(span: Span, errorCode: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    span.recordException(error instanceof Error ? error : String(error));
    span.setStatus({ code: errorCode, message: error instanceof Error ? error.message : String(error) });
    throw error;
  } finally {
    span.end();
  }
}

function remote(traceparent: string | undefined): SpanContext | null {
  const context = parseTraceparent(traceparent);
  return (
    context && {
      traceId: context.traceId,
      spanId: context.spanId,
      traceFlags: context.sampled ? 1 : 0,
      isRemote: true,
    }
  );
}

function linksOf(traceparents: readonly (string | undefined)[]): Link[] {
  const links: Link[] = [];
  for (const traceparent of traceparents) {
    if (links.length === LINKS_MAX) break;
    const context = remote(traceparent);
    if (context) links.push({ context });
  }
  return links;
}

function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return formatTraceparent({ traceId, spanId, sampled: (traceFlags & 1) === 1 });
}
