import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { errorsHeardElsewhere, idSource } from '@brokerx/client';
import { mintId } from '@brokerx/contracts';

/**
 * Orders that are sent ahead on many connections, whether or not the ones before are answered: what no well-behaved client
 * does, and any may. Replies come in the order of requests, so a connection needs to remember only when it sent them.
 */
export type FloodOptions = {
  url: URL;
  /** Sent from: another address than that of the honest client beside it. */
  from: string;
  authorizations: readonly string[];
  bodies: readonly Buffer[];
  connections: number;
  /** Orders a second of all connections together. */
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
  const { url, from, authorizations, bodies, connections, rate, seconds } = options;
  const begunMs = performance.now();
  const result: FloodResult = {
    seconds: Array.from({ length: seconds + 1 }, () => ({ sent: 0, accepted: 0, refused: 0 })),
    acceptedMs: [],
    refusedMs: [],
    closed: 0,
  };
  const second = () =>
    result.seconds[Math.min(seconds, Math.floor((performance.now() - begunMs) / 1_000))] as FloodSecond;
  const all = Array.from({ length: connections }, (_, index) => {
    const sentMs: number[] = [];
    const address = { host: url.hostname, port: Number(url.port), localAddress: from, noDelay: true };
    const socket = errorsHeardElsewhere(connect(address));
    let isOpen = true;
    socket.on('close', () => {
      if (isOpen) result.closed += 1;
      isOpen = false;
    });
    onReplies(socket, (isAccepted) => {
      const ms = performance.now() - (sentMs.shift() ?? 0);
      second()[isAccepted ? 'accepted' : 'refused'] += 1;
      result[isAccepted ? 'acceptedMs' : 'refusedMs'].push(ms);
    });
    const authorization = authorizations[index % authorizations.length] ?? '';
    return {
      send(body: Buffer) {
        if (!isOpen) return;
        sentMs.push(performance.now());
        second().sent += 1;
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
    for (; sent < due; sent++) all[sent % connections]?.send(bodies[sent % bodies.length] as Buffer);
  }
  for (const connection of all) connection.end();
  return result;
}

function requestOf({ host }: URL, authorization: string, body: Buffer): Buffer {
  const head = `POST /v1/orders HTTP/1.1\r\nhost: ${host}\r\nauthorization: ${authorization}\r\nidempotency-key: ${mintId(idSource)}\r\n`;
  return Buffer.concat([
    Buffer.from(`${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`),
    body,
  ]);
}

/** Bodies are JSON on one line and hold no status line, so that replies are counted without being read. */
function onReplies(socket: Socket, told: (isAccepted: boolean) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (data: Buffer) => {
    const text = rest.length > 0 ? Buffer.concat([rest, data]) : data;
    let from = 0;
    for (let at = text.indexOf(REPLY); at !== -1; at = text.indexOf(REPLY, from)) {
      // A status that is cut in two is looked at with what comes next.
      if (at + REPLY.length + 3 > text.length) break;
      told(text[at + REPLY.length] === '2'.charCodeAt(0));
      from = at + REPLY.length + 3;
    }
    rest = Buffer.from(text.subarray(Math.max(from, text.length - REPLY.length - 3)));
  });
}
