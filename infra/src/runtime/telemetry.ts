import type { Attributes, Link, Span, SpanContext, SpanKind } from '@opentelemetry/api';
import { shownServer } from './connectionFault.ts';
import type { Log } from './log.ts';
import { mayFail } from './mayFail.ts';
import { sharedOutage } from './outage.ts';
import { type Runtime, realRuntime, sleep } from './runtime.ts';
import { formatTraceparent, mintTraceparent, parseTraceparent } from './traceparent.ts';
import { withinTime } from './waiting.ts';

/**
 * Traces, written by hand at our ports: one span for each step that waits or costs. Without a collector nothing is loaded, and
 * a span is a function call. The context is passed as a `traceparent` and never taken from the call stack: where work is
 * batched, the stack has none or another request's.
 */
export type Telemetry = {
  /** False: nothing is collected, so that work for spans alone may be skipped. */
  readonly on: boolean;
  /**
   * Runs `work` at once inside a span, with the traceparent to put on events and messages: the span's when tracing is on, else
   * the caller's. Errors are recorded and rethrown.
   */
  span<T>(
    name: string,
    options: SpanOptions,
    work: (traceparent: string, step: SpanStep) => Promise<T>,
  ): Promise<T>;
  /** Sends the remaining spans; waits `FLUSH_MS` at most. */
  stop(): Promise<void>;
};

export type SpanOptions = {
  kind?: 'server' | 'client' | 'producer' | 'consumer' | 'internal';
  /** The parent step; absent or invalid: a new trace begins. */
  traceparent?: string | undefined;
  /** The causes of a batch, which has no parent; the first `LINKS_MAX` different ones are kept. */
  links?: Iterable<string | undefined>;
  attributes?: SpanAttributes;
};

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** A running span. */
export type SpanStep = {
  /** Adds attributes that are known only now. */
  note(attributes: SpanAttributes): void;
  /** Marks the step as failed although nothing is thrown. */
  fail(reason: string): void;
};

/** The SDK's own bound on links. */
const LINKS_MAX = 128;
/** Milliseconds for the last spans: a hanging collector must not hold up the end of the process. */
const FLUSH_MS = 2_000;

/** Collects nothing: for processes without a collector, and for rebuilds and replays of events that were traced before. */
export function noTelemetry(runtime: Runtime = realRuntime): Telemetry {
  return {
    on: false,
    span: (_name, { traceparent }, work) => work(traceparent ?? mintTraceparent(runtime), unseen),
    stop: async () => {},
  };
}

const unseen: SpanStep = { note: () => {}, fail: () => {} };

/** The span options of a step with several inputs: with one cause it joins that trace, with more it is linked to each. */
export function causedBy(
  traceparents: Iterable<string | undefined>,
): Pick<SpanOptions, 'traceparent' | 'links'> {
  const causes = distinct(traceparents);
  return causes.length === 1 ? { traceparent: causes[0] } : { links: causes };
}

export type TelemetryOptions = {
  /** OTEL_EXPORTER_OTLP_ENDPOINT, which the SDK reads itself, like its other variables; undefined: tracing is off. */
  endpoint: string | undefined;
  service: string;
  version: string;
  instance?: string | undefined;
  /** Gets the outages of the collector. */
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
    // Metrics are scraped, and logs are collected from standard output; by default the SDK would send both, too.
    metricReaders: [],
    logRecordProcessors: [],
  });
  // The SDK would write to standard output, between the lines of our log.
  const collector = collectorWatch({ endpoint, log, runtime });
  const warn = (message: string) => {
    if (isCollectorAway(message)) collector.failed(message);
    else log.warn({ detail: message }, 'tracing');
  };
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
    on: true,
    span: async (name, { kind = 'internal', traceparent, links = [], attributes = {} }, work) => {
      const parent = remote(traceparent);
      const context = parent ? api.trace.setSpanContext(api.ROOT_CONTEXT, parent) : api.ROOT_CONTEXT;
      // Links are set at the start, because samplers look at them.
      const span = tracer.startSpan(
        name,
        { kind: kinds[kind], links: linksOf(links), attributes: { ...attributes } as Attributes },
        context,
      );
      const step: SpanStep = {
        note: (more) => span.setAttributes({ ...more }),
        fail: (message) => span.setStatus({ code: api.SpanStatusCode.ERROR, message }),
      };
      return finish(span, step, () => work(traceparentOf(span), step));
    },
    stop: async () => {
      collector.stop();
      const flushing = mayFail(sdk.shutdown(), 'nobody there takes the last traces');
      await withinTime(runtime, FLUSH_MS, flushing, () => undefined);
    },
  };
}

/**
 * Logs the collector's outages. The SDK reports failed sendings but no successful ones, so during an outage this requests the
 * endpoint now and then, and any reply ends the outage.
 */
function collectorWatch({ endpoint, log, runtime }: { endpoint: string; log: Log; runtime: Runtime }) {
  const stopping = new AbortController();
  const outage = sharedOutage({
    log,
    runtime,
    server: `The collector of traces (${shownServer(endpoint)})`,
    meaning: 'traces are lost; everything else goes on; the next ones are sent as usual',
    reasonOf: (error) => AWAY.exec(String(error))?.[0] ?? 'it does not answer',
  });
  const look = async () => {
    while (outage.isAway() && !stopping.signal.aborted) {
      await sleep(runtime, LOOK_EVERY_MS, stopping.signal);
      if (stopping.signal.aborted) return;
      try {
        await (await fetch(endpoint, { signal: AbortSignal.timeout(FLUSH_MS) })).arrayBuffer();
        outage.answered();
      } catch (error) {
        outage.failed(error instanceof Error ? (error.cause ?? error) : error);
      }
    }
  };
  let looking: Promise<void> | null = null;
  return {
    failed(message: string) {
      if (stopping.signal.aborted) return;
      outage.failed(message);
      looking ??= look().finally(() => {
        looking = null;
      });
    },
    stop: () => stopping.abort(),
  };
}

const LOOK_EVERY_MS = 5_000;
const AWAY =
  /(connect|read|getaddrinfo) (ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)[^"\\]*|socket hang up|request timed out/i;
const isCollectorAway = (message: string): boolean => AWAY.test(message);

async function finish<T>(span: Span, step: SpanStep, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    span.recordException(error instanceof Error ? error : String(error));
    step.fail(error instanceof Error ? error.message : String(error));
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

function linksOf(traceparents: Iterable<string | undefined>): Link[] {
  return distinct(traceparents).flatMap((traceparent) => {
    const context = remote(traceparent);
    return context ? [{ context }] : [];
  });
}

/** The first `LINKS_MAX` different traceparents. */
function distinct(traceparents: Iterable<string | undefined>): string[] {
  const different = new Set<string>();
  for (const traceparent of traceparents) {
    if (traceparent !== undefined) different.add(traceparent);
    if (different.size === LINKS_MAX) break;
  }
  return [...different];
}

function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return formatTraceparent({ traceId, spanId, sampled: (traceFlags & 1) === 1 });
}
