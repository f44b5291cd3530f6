import { randomUUID } from 'node:crypto';
import featuresService from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import streamsService from '@eventstore/db-client/generated/streams_grpc_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { errorsHeardElsewhere } from '../src/runtime/mayFail.ts';
import {
  type EventLog,
  type Expected,
  eventLog,
  MAX_APPEND_BYTES,
  type NewEvent,
} from './eventStoreDbLog.ts';
import {
  type BatchAppendReq,
  type BatchAppendResp,
  batchReply,
  type Outcome,
} from './eventStoreDbMessages.ts';
import { type ReadCall, readOnce, subscribe } from './eventStoreDbRead.ts';

/**
 * A server that speaks EventStoreDB's protocol, for tests: made of the client's own definitions of it, with the
 * faults that are known of server, network and client, each to be switched on. Its log outlives a restart.
 */
export type EventStoreDbServer = {
  url: string;
  log: EventLog;
  faults: Faults;
  /** Ends every subscription as a server that stops does. */
  dropSubscriptions(): void;
  /** Those that run fall silent: nothing more comes of them, not even their end. */
  silenceSubscriptions(): void;
  subscriptions(): number;
  /** Events that subscriptions were given. */
  given(): number;
  stop(): Promise<void>;
  /** On the same port, with the same log. */
  start(): Promise<void>;
};

/** Each counts down with every append, or read, that it befalls. */
export type Faults = {
  /** Appended, and never replied. */
  lostReplies: number;
  /** Appended, and the stream of all appends breaks, so that all that wait are told of an error. */
  brokenStreams: number;
  /** Appended, and replied that it took too long. */
  falseTimeouts: number;
  /** Not appended, and replied that it took too long. */
  timeouts: number;
  /** Not appended: the server is not ready. */
  notReady: number;
  /** Appended, and the reply has no position. */
  absentPositions: number;
  /** Reads that are never answered. */
  hungReads: number;
  /** So far the server's clock is ahead of the client's. */
  clockAheadMs: number;
};

/** Certificate and key, in PEM. */
type Pair = { certificate: string; key: string };

const credentialsOf = (pair: Pair | undefined): ServerCredentials =>
  pair
    ? ServerCredentials.createSsl(null, [
        { cert_chain: Buffer.from(pair.certificate), private_key: Buffer.from(pair.key) },
      ])
    : ServerCredentials.createInsecure();

export async function startEventStoreDbServer(
  options: { port?: number; batchAppend?: boolean; log?: EventLog; tls?: Pair } = {},
): Promise<EventStoreDbServer> {
  const { batchAppend = true, log = eventLog() } = options;
  const subscriptions = new Map<ReadCall, { silent: boolean }>();
  const faults: Faults = {
    lostReplies: 0,
    brokenStreams: 0,
    falseTimeouts: 0,
    timeouts: 0,
    notReady: 0,
    absentPositions: 0,
    hungReads: 0,
    clockAheadMs: 0,
  };
  let given = 0;
  const befalls = (fault: Exclude<keyof Faults, 'clockAheadMs'>) => faults[fault] > 0 && faults[fault]-- > 0;

  const append = (
    stream: string,
    expected: Expected,
    events: readonly NewEvent[],
  ): Outcome | 'lost' | 'broken' => {
    if (befalls('timeouts')) return { is: 'timeout' };
    if (befalls('notReady')) return { is: 'not ready' };
    const bytes = events.reduce(
      (sum, { type, data, metadata }) => sum + 2 * type.length + data.length + metadata.length,
      0,
    );
    if (bytes > MAX_APPEND_BYTES) return { is: 'too large' };
    const appended = log.append(stream, expected, events);
    if (befalls('lostReplies')) return 'lost';
    if (befalls('brokenStreams')) return 'broken';
    if (befalls('falseTimeouts')) return { is: 'timeout' };
    if (appended.is === 'wrong') return appended;
    const { lastRevision, position } = appended;
    return { is: 'ok', lastRevision, position: befalls('absentPositions') ? null : position };
  };

  const read = (call: ReadCall) => {
    if (!call.request.getOptions()?.hasSubscription()) {
      if (!befalls('hungReads')) void readOnce(log, call);
      return;
    }
    const state = { silent: false };
    subscriptions.set(call, state);
    call.on('cancelled', () => subscriptions.delete(call));
    void subscribe(log, call, randomUUID(), { isSilent: () => state.silent, onEvent: () => void given++ });
  };

  const appendBatches = (call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>) => {
    const begun = new Map<string, { request: BatchAppendReq; events: NewEvent[] }>();
    call.on('data', (request: BatchAppendReq) => {
      const id = request.getCorrelationId()?.getString() ?? '';
      const batch = begun.get(id) ?? { request, events: [] };
      begun.set(id, batch);
      batch.events.push(...request.getProposedMessagesList().map(newEvent));
      if (!request.getIsFinal()) return;
      begun.delete(id);
      const { options, stream, expected } = asked(batch.request);
      const deadlineMs = Number(options?.getDeadline()?.toDate() ?? Number.POSITIVE_INFINITY);
      const isLate = deadlineMs <= Date.now() + faults.clockAheadMs;
      const outcome = isLate ? ({ is: 'timeout' } as const) : append(stream, expected, batch.events);
      if (outcome === 'lost') return;
      if (outcome === 'broken') call.emit('error', { code: status.UNAVAILABLE, details: 'broken' });
      else call.write(batchReply(batch.request, stream, outcome));
    });
    call.on('end', () => call.end());
    errorsHeardElsewhere(call);
  };

  const appendOne = (call: AppendCall, reply: sendUnaryData<AppendResp>) => {
    let header: AppendHeader | undefined;
    const events: NewEvent[] = [];
    call.on('data', (request: AppendReq) => {
      const message = request.getProposedMessage();
      if (message) events.push(newEvent(message));
      else header = request.getOptions();
    });
    call.on('end', () => {
      const { stream, expected } = askedOne(header);
      const outcome = append(stream, expected, events);
      if (outcome === 'lost') return;
      if (outcome !== 'broken' && (outcome.is === 'ok' || outcome.is === 'wrong')) {
        reply(null, oneReply(outcome));
      } else reply({ code: status.UNAVAILABLE, details: 'broken' });
    });
  };

  const supported = (
    _call: unknown,
    reply: sendUnaryData<InstanceType<typeof features.SupportedMethods>>,
  ) => {
    const methods = new features.SupportedMethods();
    methods.setEventStoreServerVersion('24.10.0');
    for (const name of ['append', 'read', ...(batchAppend ? ['batchappend'] : [])]) {
      const method = new features.SupportedMethod();
      method.setServiceName('event_store.client.streams.streams');
      method.setMethodName(name);
      methods.addMethods(method);
    }
    reply(null, methods);
  };

  let server = new Server();
  let port = options.port ?? 0;
  const start = async () => {
    server = new Server({ 'grpc.max_receive_message_length': 16_777_216 });
    const services = [
      [streamsService.StreamsService, { read, append: appendOne, batchAppend: appendBatches }],
      [featuresService.ServerFeaturesService, { getSupportedMethods: supported }],
    ] as unknown as [ServiceDefinition, UntypedServiceImplementation][];
    for (const [service, implementation] of services) server.addService(service, implementation);
    port = await new Promise((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${port}`, credentialsOf(options.tls), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
  };
  await start();

  return {
    url: `esdb://127.0.0.1:${port}?tls=${options.tls !== undefined}`,
    log,
    faults,
    dropSubscriptions() {
      for (const call of subscriptions.keys())
        call.emit('error', { code: status.UNAVAILABLE, details: 'stopping' });
      subscriptions.clear();
    },
    silenceSubscriptions() {
      for (const state of subscriptions.values()) state.silent = true;
    },
    subscriptions: () => subscriptions.size,
    given: () => given,
    async stop() {
      subscriptions.clear();
      server.forceShutdown();
    },
    start,
  };
}

type AppendReq = InstanceType<typeof streams.AppendReq>;
type AppendResp = InstanceType<typeof streams.AppendResp>;
type AppendCall = ServerReadableStream<AppendReq, AppendResp>;
type AppendHeader = ReturnType<AppendReq['getOptions']>;

type Proposed = {
  getId(): { getString(): string } | undefined;
  getMetadataMap(): { get(key: string): string | undefined };
  getData_asU8(): Uint8Array;
  getCustomMetadata_asU8(): Uint8Array;
};
const newEvent = (message: Proposed): NewEvent => ({
  id: message.getId()?.getString() ?? '',
  type: message.getMetadataMap().get('type') ?? '',
  contentType: message.getMetadataMap().get('content-type') ?? '',
  data: message.getData_asU8(),
  metadata: message.getCustomMetadata_asU8(),
});

function asked(request: BatchAppendReq) {
  const options = request.getOptions();
  const stream = Buffer.from(options?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString();
  const given = (): Expected => {
    if (options?.hasAny()) return 'any';
    if (options?.hasStreamExists()) return 'stream_exists';
    return options?.hasNoStream() ? -1 : Number(options?.getStreamPosition());
  };
  return { options, stream, expected: given() };
}

function askedOne(options: AppendHeader) {
  const stream = Buffer.from(options?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString();
  const given = (): Expected => {
    if (options?.hasAny()) return 'any';
    if (options?.hasStreamExists()) return 'stream_exists';
    return options?.hasNoStream() ? -1 : Number(options?.getRevision());
  };
  return { stream, expected: given() };
}

function oneReply(outcome: Extract<Outcome, { is: 'ok' | 'wrong' }>): AppendResp {
  const reply = new streams.AppendResp();
  if (outcome.is === 'wrong') {
    const wrong = new streams.AppendResp.WrongExpectedVersion();
    if (outcome.current >= 0) wrong.setCurrentRevision(String(outcome.current));
    reply.setWrongExpectedVersion(wrong);
    return reply;
  }
  const success = new streams.AppendResp.Success();
  success.setCurrentRevision(String(outcome.lastRevision));
  if (outcome.position !== null) {
    const position = new streams.AppendResp.Position();
    position.setCommitPosition(String(outcome.position));
    position.setPreparePosition(String(outcome.position));
    success.setPosition(position);
  }
  reply.setSuccess(success);
  return reply;
}
