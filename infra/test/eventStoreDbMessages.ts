import { createRequire } from 'node:module';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import status from '@eventstore/db-client/generated/status_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { LogRecord } from './eventStoreDbLog.ts';

/** The messages of EventStoreDB's protocol, made with the client's own definitions of them. */
const { ReadResp, BatchAppendResp } = streams;

export type ReadResp = InstanceType<typeof streams.ReadResp>;
export type ReadReq = InstanceType<typeof streams.ReadReq>;
export type BatchAppendReq = InstanceType<typeof streams.BatchAppendReq>;
export type BatchAppendResp = InstanceType<typeof streams.BatchAppendResp>;

const uuid = (text: string) => {
  const id = new shared.UUID();
  id.setString(text);
  return id;
};

export function readEvent(record: LogRecord): ReadResp {
  const event = new ReadResp.ReadEvent.RecordedEvent();
  event.setId(uuid(record.id));
  event.setStreamIdentifier(identifier(record.stream));
  event.setStreamRevision(String(record.revision));
  event.setCommitPosition(String(record.position));
  event.setPreparePosition(String(record.position));
  event
    .getMetadataMap()
    .set('type', record.type)
    .set('content-type', record.contentType)
    .set('created', String(BigInt(record.createdMs) * 10_000n));
  event.setData(record.data);
  event.setCustomMetadata(record.metadata);
  const read = new ReadResp.ReadEvent();
  read.setEvent(event);
  read.setCommitPosition(String(record.position));
  const reply = new ReadResp();
  reply.setEvent(read);
  return reply;
}

export function confirmation(id: string): ReadResp {
  const confirmed = new ReadResp.SubscriptionConfirmation();
  confirmed.setSubscriptionId(id);
  const reply = new ReadResp();
  reply.setConfirmation(confirmed);
  return reply;
}

export function checkpoint(commit: number, prepare: number): ReadResp {
  const reached = new ReadResp.Checkpoint();
  reached.setCommitPosition(String(commit));
  reached.setPreparePosition(String(prepare));
  const reply = new ReadResp();
  reply.setCheckpoint(reached);
  return reply;
}

export function caughtUp(): ReadResp {
  const reply = new ReadResp();
  reply.setCaughtUp(new ReadResp.CaughtUp());
  return reply;
}

export function streamNotFound(stream: string): ReadResp {
  const missing = new ReadResp.StreamNotFound();
  missing.setStreamIdentifier(identifier(stream));
  const reply = new ReadResp();
  reply.setStreamNotFound(missing);
  return reply;
}

export type Outcome =
  | { is: 'ok'; lastRevision: number; position: number | null }
  | { is: 'wrong'; current: number }
  | { is: 'timeout' | 'not ready' | 'too large' };

export function batchReply(request: BatchAppendReq, stream: string, outcome: Outcome): BatchAppendResp {
  const reply = new BatchAppendResp();
  reply.setCorrelationId(request.getCorrelationId());
  reply.setStreamIdentifier(identifier(stream));
  if (outcome.is === 'ok') {
    const success = new BatchAppendResp.Success();
    success.setCurrentRevision(String(outcome.lastRevision));
    if (outcome.position === null) success.setNoPosition(new googleEmpty.Empty());
    else success.setPosition(allPosition(outcome.position));
    reply.setSuccess(success);
    return reply;
  }
  const error = new status.Status();
  const [details, name] = detailsOf(outcome);
  const packed = new googleAny.Any();
  packed.pack(details.serializeBinary(), name);
  error.setDetails(packed as Parameters<typeof error.setDetails>[0]);
  error.setMessage(outcome.is);
  reply.setError(error);
  return reply;
}

function detailsOf(outcome: Exclude<Outcome, { is: 'ok' }>): [{ serializeBinary(): Uint8Array }, string] {
  switch (outcome.is) {
    case 'wrong': {
      const wrong = new shared.WrongExpectedVersion();
      if (outcome.current < 0) wrong.setCurrentNoStream(new googleEmpty.Empty());
      else wrong.setCurrentStreamRevision(String(outcome.current));
      return [wrong, 'event_store.client.WrongExpectedVersion'];
    }
    case 'too large': {
      const size = new shared.MaximumAppendSizeExceeded();
      return [size, 'event_store.client.MaximumAppendSizeExceeded'];
    }
    case 'timeout':
      return [new shared.Timeout(), 'event_store.client.Timeout'];
    case 'not ready':
      return [new googleEmpty.Empty(), 'google.protobuf.Empty'];
  }
}

const identifier = (stream: string) => {
  const named = new shared.StreamIdentifier();
  named.setStreamName(Buffer.from(stream).toString('base64'));
  return named;
};

const allPosition = (position: number) => {
  const place = new shared.AllStreamPosition();
  place.setCommitPosition(String(position));
  place.setPreparePosition(String(position));
  return place;
};

/** Google's own messages, where the client has them: they are no dependency of ours. */
const fromClient = createRequire(
  createRequire(import.meta.url).resolve('@eventstore/db-client/generated/status_pb.js'),
);
type Message = { serializeBinary(): Uint8Array };
const googleAny = fromClient('google-protobuf/google/protobuf/any_pb.js') as {
  Any: new () => Message & { pack(bytes: Uint8Array, name: string): void };
};
const googleEmpty = fromClient('google-protobuf/google/protobuf/empty_pb.js') as {
  Empty: new () => InstanceType<typeof shared.Empty>;
};
