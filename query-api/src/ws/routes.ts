import { BODY_BYTES_MAX, type Http } from '@brokerx/infra/http/http.ts';
import websocket from '@fastify/websocket';
import { z } from 'zod';
import { asyncApi } from './asyncApi.ts';
import { handshakeRefusal, SOCKET_PATH, UPGRADE_REQUIRED } from './handshake.ts';
import type { OpenSockets } from './openSockets.ts';

/** The route of the WebSocket, and the document that describes its messages. */
export async function webSocketRoutes(
  app: Http,
  { sockets, version }: { sockets: OpenSockets; version: string },
): Promise<void> {
  await app.register(websocket, {
    options: { maxPayload: BODY_BYTES_MAX, perMessageDeflate: false },
    // `OpenSockets` announces the end and closes them.
    preClose: (done) => done(),
    // A message that breaks the rules: the library closes with the reason.
    errorHandler: () => undefined,
  });
  app.route({
    method: 'GET',
    url: SOCKET_PATH,
    config: { auth: 'public' },
    exposeHeadRoute: false,
    schema: {
      tags: ['Streams'],
      summary: 'Market data, your orders, and order entry over one WebSocket',
      description: 'What goes over it is described in `/asyncapi.json`.',
      response: { 101: z.null().describe('The connection is a WebSocket now.') },
    },
    handler: ({ raw }) => {
      throw handshakeRefusal(raw) ?? UPGRADE_REQUIRED;
    },
    wsHandler: (socket, request) => sockets.take(socket, request.ip),
  });
  app.get(
    '/asyncapi.json',
    { config: { auth: 'public' }, schema: { hide: true, response: { 200: z.unknown() } } },
    ({ protocol, host }) => asyncApi({ version, protocol: protocol === 'https' ? 'wss' : 'ws', host }),
  );
}
