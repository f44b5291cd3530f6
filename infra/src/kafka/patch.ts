import { createRequire } from 'node:module';
import { realRuntime } from '../runtime/runtime.ts';
import { type ApiVersions, assertSupported } from './apis.ts';
import { encodeProduce, isTextRequest } from './produce.ts';

/**
 * Changes kafkajs, which is no longer maintained, in three places. The changes reach into its internals, so they hold for one
 * exact version, and a test pins what they do.
 *
 * 1. A request queue that waits for nothing sets no timer. As published it wakes up every millisecond on every connection for
 *    ever (7 % of a core each), and Node warns of its negative timeouts.
 * 2. Every connection compares the versions that the broker supports with those that kafkajs implements. As published it
 *    ignores a broker's lowest versions, so that a broker without an old version just closes the connection.
 * 3. `encodeProduce` encodes messages: the same bytes in a fifth of the time.
 */
export const KAFKAJS_VERSION = '2.2.4';

/** Changes kafkajs's classes at the first call; later calls do nothing. */
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
    // `push` calls this after it has queued something, so no request is left without a timer.
    if (this.pending.length === 0 && this.throttledUntil <= realRuntime.nowMs()) return;
    schedule.call(this);
  };

  const broker = (load('kafkajs/src/broker/index.js') as { prototype: Broker }).prototype;
  const requestVersions = broker.apiVersions;
  broker.apiVersions = async function (this: Broker) {
    const versions = await requestVersions.call(this);
    assertSupported(versions);
    return versions;
  };

  // The modules that use it are loaded with the first message that is sent, and keep the function that they get then.
  const requestFile = load.resolve('kafkajs/src/protocol/requests/produce/v3/request.js');
  const produce = load(requestFile) as (request: object) => { encode(): Promise<Encoded> };
  const module = load.cache[requestFile];
  if (!module || load.cache[load.resolve('kafkajs/src/protocol/requests/produce/v7/request.js')]) {
    throw new Error('kafkajs has sent messages before it was changed: make clients with openKafka alone');
  }
  module.exports = (request: object) => {
    const original = produce(request);
    if (!isTextRequest(request)) return original;
    const encode = async (): Promise<Encoded> => {
      const buffer = encodeProduce(request);
      return { buf: buffer, buffer };
    };
    return { ...original, encode };
  };
  isPatched = true;
}

let isPatched = false;
/** kafkajs has no `exports` map: its inner files can be loaded by path. */
const load = createRequire(import.meta.url);

type RequestQueue = {
  pending: unknown[];
  /** Milliseconds since the epoch until which the broker wants no requests. */
  throttledUntil: number;
  scheduleCheckPendingRequests(): void;
};
/** An encoded request as kafkajs expects it. */
type Encoded = { buf: Buffer; buffer: Buffer };
type Broker = { apiVersions(): Promise<ApiVersions> };
