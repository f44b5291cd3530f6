import type { OwnView, Runtime, SessionEnds, Telemetry } from '@brokerx/infra';
import type { HttpOptions } from '@brokerx/infra/http/http.ts';
import type { Log } from '@brokerx/infra/runtime/log.ts';
import type { Metrics } from '@brokerx/infra/runtime/metrics.ts';
import type { PublicBooks } from './books/publicBooks.ts';
import type { HotValues } from './live/hotValues.ts';
import type { LiveEvents } from './live/liveEvents.ts';
import type { ClientQuotas } from './reading/clientQuotas.ts';
import type { EventReader } from './reading/eventReader.ts';
import type { Freshness } from './reading/freshness.ts';
import type { ReadDatabase } from './reading/readDatabase.ts';
import type { Channels } from './streams/channels.ts';
import type { OpenStreams } from './streams/openStreams.ts';
import type { CommandApi } from './ws/commandApi.ts';
import type { OpenSockets } from './ws/openSockets.ts';

/** Everything that the routes read from and stream from. Nothing in here can write. */
export type QueryDeps = {
  store: EventReader;
  database: ReadDatabase;
  hotView: OwnView;
  freshness: Freshness;
  live: LiveEvents;
  sessions: Pick<SessionEnds, 'onEnd'>;
  hotValues: HotValues;
  books: PublicBooks;
  channels: Channels;
  streams: OpenStreams;
  /** Places for exports of events: each client has a few. */
  exportPlaces: ClientQuotas;
  commands: Pick<CommandApi, 'inFlight'>;
  sockets: OpenSockets;
  runtime: Runtime;
  log: Log;
  metrics: Metrics;
  telemetry: Telemetry;
  ready: HttpOptions['ready'];
  authenticate: HttpOptions['authenticate'];
  /** Origins of web pages that may call the API from a browser, beside its own. */
  corsOrigins: readonly string[];
  trustedProxies?: readonly string[];
  bounds?: HttpOptions['bounds'];
  version: string;
};
