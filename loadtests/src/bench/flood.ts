import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { errorsHeardElsewhere, idSource } from '@brokerx/client';
import { mintId } from '@brokerx/contracts';

/**
 * Sends orders on many connections without waiting for replies, as no well-behaved client does, but any client may. Replies
 * come in the order of the requests, so a connection needs to remember only when it sent each of them.
 */
export type FloodOptions = {
  url: URL;
  /** The address to send from, which is not that of the well-behaved client beside the flood. */
  localAddress: string;
  authorizations: readonly string[];
  bodies: readonly Buffer[];
  connections: number;
  /** Orders a second, on all connections together. */
  rate: number;
  seconds: number;
};

export type FloodSecond = { sent: number; accepted: number; refused: number };
export type FloodResult = {
  /** What was sent, accepted and refused in each second. */
  seconds: FloodSecond[];
  /** Milliseconds from sending to the reply, of accepted and of refused orders. */
  acceptedMs: number[];
  refusedMs: number[];
  /** Connections that the server closed. */
  closed: number;
};

/** Milliseconds between two rounds of sending. */
const ROUND_MS = 20;
const REPLY = Buffer.from('HTTP/1.1 ');

export async function flood(options: FloodOptions): Promise<FloodResult> {
  const { url, localAddress, authorizations, bodies, connections, rate, seconds } = options;
  const begunMs = performance.now();
  const result: FloodResult = {
    seconds: Array.from({ length: seconds + 1 }, () => ({ sent: 0, accepted: 0, refused: 0 })),
    acceptedMs: [],
    refusedMs: [],
    closed: 0,
  };
  const currentSecond = () =>
    result.seconds[Math.min(seconds, Math.floor((performance.now() - begunMs) / 1_000))] as FloodSecond;
  const flooders = Array.from({ length: connections }, (_, index) => {
    const sentMs: number[] = [];
    const address = { host: url.hostname, port: Number(url.port), localAddress, noDelay: true };
    const socket = errorsHeardElsewhere(connect(address));
    let isOpen = true;
    socket.on('close', () => {
      if (isOpen) result.closed += 1;
      isOpen = false;
    });
    onReplies(socket, (isAccepted) => {
      const latencyMs = performance.now() - (sentMs.shift() ?? 0);
      currentSecond()[isAccepted ? 'accepted' : 'refused'] += 1;
      result[isAccepted ? 'acceptedMs' : 'refusedMs'].push(latencyMs);
    });
    const authorization = authorizations[index % authorizations.length] ?? '';
    return {
      send(body: Buffer) {
        if (!isOpen) return;
        sentMs.push(performance.now());
        currentSecond().sent += 1;
        socket.write(requestOf(url, authorization, body));
      },
      end() {
        isOpen = false;
        socket.destroy();
      },
    };
  });
  for (let sent = 0; performance.now() - begunMs < seconds * 1_000; await delay(ROUND_MS)) {
    const due = ((performance.now() - begunMs) / 1_000) * rate;
    for (; sent < due; sent++) flooders[sent % connections]?.send(bodies[sent % bodies.length] as Buffer);
  }
  for (const connection of flooders) connection.end();
  return result;
}

function requestOf({ host }: URL, authorization: string, body: Buffer): Buffer {
  const head = `POST /v1/orders HTTP/1.1\r\nhost: ${host}\r\nauthorization: ${authorization}\r\nidempotency-key: ${mintId(idSource)}\r\n`;
  return Buffer.concat([
    Buffer.from(`${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`),
    body,
  ]);
}

/** Calls `onReply` for each reply. It looks for status lines only: a body is JSON on one line and cannot contain one. */
function onReplies(socket: Socket, onReply: (isAccepted: boolean) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (data: Buffer) => {
    const bytes = rest.length > 0 ? Buffer.concat([rest, data]) : data;
    let next = 0;
    for (let start = bytes.indexOf(REPLY); start !== -1; start = bytes.indexOf(REPLY, next)) {
      // A status line that is cut off is looked at again with the next data.
      if (start + REPLY.length + 3 > bytes.length) break;
      onReply(bytes[start + REPLY.length] === '2'.charCodeAt(0));
      next = start + REPLY.length + 3;
    }
    rest = Buffer.from(bytes.subarray(Math.max(next, bytes.length - REPLY.length - 3)));
  });
}
