import { type Channel, RESUMABLE, type views } from '@brokerx/contracts';
import { frame } from './sseFrame.ts';

/** One message of a channel, the same for everybody who is given it; each form of it is made once, when it is wanted. */
export type StreamMessage = {
  readonly sequence: number;
  /** JSON text. */
  readonly data: string;
  /** For the WebSocket: a `StreamData`. */
  text(): string;
  /** For server-sent events: `data` alone, under the channel's name. */
  frame(): string;
};

/** What a message is about, besides its sequence. */
export type Subject = {
  channel: Channel;
  symbol?: string | undefined;
  interval?: views.CandleInterval | undefined;
};

/** `data` is JSON text. */
export function streamMessage(subject: Subject, sequence: number, data: string): StreamMessage {
  let text: string | undefined;
  let sse: string | undefined;
  return {
    sequence,
    data,
    text: () => (text ??= `${aboutText('data', subject)},"sequence":${sequence},"data":${data}}`),
    frame: () =>
      (sse ??= frame(subject.channel, data, RESUMABLE.includes(subject.channel) ? sequence : undefined)),
  };
}

/** The beginning of a message's JSON text, to be gone on with. */
export const aboutText = (type: string, { channel, symbol, interval }: Subject): string =>
  `{"type":"${type}","channel":"${channel}"${symbol === undefined ? '' : `,"symbol":"${symbol}"`}${
    interval === undefined ? '' : `,"interval":"${interval}"`
  }`;
