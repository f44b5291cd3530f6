import { createRequire } from 'node:module';
import { realRuntime } from '../runtime/runtime.ts';
import { type ApiVersions, assertSpoken } from './apis.ts';
import { encodeProduce, isTextRequest } from './produce.ts';

/**
 * Three changes to kafkajs, which is no longer maintained. They reach into its internals, so they hold for one exact
 * version, and a test pins what they do.
 *
 * 1. A request queue without anything to wait for sets no timer. As published it wakes up every millisecond on every
 *    connection for ever (7 % of a core each), and Node warns of its negative timeouts.
 * 2. What a broker speaks is compared with what kafkajs implements on every connection. As published it never looks at
 *    a broker's lowest versions, so that one which has dropped an old version just closes the connection.
 * 3. What is sent is encoded by `encodeProduce`: the same bytes for a fifth of the time.
 */
export const KAFKAJS_VERSION = '2.2.4';

/** As often as it likes; the first call changes the classes. */
export function patchKafkajs(): void {
  if (isPatched) return;
  const { version } = load('kafkajs/package.json') as { version: string };
  if (version !== KAFKAJS_VERSION) {
    throw new Error(
      `kafkajs ${version} is installed and the changes to it were made for ${KAFKAJS_VERSION}: install that one, or look through kafkajsPatch.ts anew`,
    );
  }
  const queue = (load('kafkajs/src/network/requestQueue/index.js') as { prototype: RequestQueue }).prototype;
  const schedule = queue.scheduleCheckPendingRequests;
  queue.scheduleCheckPendingRequests = function (this: RequestQueue) {
    // `push` calls this after it has queued something: nothing is forgotten.
    if (this.pending.length === 0 && this.throttledUntil <= realRuntime.nowMs()) return;
    schedule.call(this);
  };

  const broker = (load('kafkajs/src/broker/index.js') as { prototype: Broker }).prototype;
  const askVersions = broker.apiVersions;
  broker.apiVersions = async function (this: Broker) {
    const versions = await askVersions.call(this);
    assertSpoken(versions);
    return versions;
  };

  // Its users are loaded with the first message that is sent, and keep what they are given then.
  const file = load.resolve('kafkajs/src/protocol/requests/produce/v3/request.js');
  const produce = load(file) as (request: object) => { encode(): Promise<Encoded> };
  const module = load.cache[file];
  if (!module || load.cache[load.resolve('kafkajs/src/protocol/requests/produce/v7/request.js')]) {
    throw new Error('kafkajs has sent messages before it was changed: make clients with openKafka alone');
  }
  module.exports = (request: object) => {
    const made = produce(request);
    if (!isTextRequest(request)) return made;
    const encode = async (): Promise<Encoded> => {
      const buffer = encodeProduce(request);
      return { buf: buffer, buffer };
    };
    return { ...made, encode };
  };
  isPatched = true;
}

let isPatched = false;
/** kafkajs has no `exports` map: its inner files can be loaded by path. */
const load = createRequire(import.meta.url);

type RequestQueue = {
  pending: unknown[];
  /** Milliseconds since the epoch until which the broker wants quiet. */
  throttledUntil: number;
  scheduleCheckPendingRequests(): void;
};
/** What kafkajs asks of something encoded. */
type Encoded = { buf: Buffer; buffer: Buffer };
type Broker = { apiVersions(): Promise<ApiVersions> };
