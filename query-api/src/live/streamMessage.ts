import { type Channel, RESUMABLE, type views } from '@brokerx/contracts';
import { frame } from './sseFrame.ts';

/** One message of a channel, shared by all its receivers. Each of its text forms is made once, on first use. */
export type StreamMessage = {
  readonly sequence: number;
  /** JSON text. */
  readonly data: string;
  /** The `StreamData` for a WebSocket. */
  text(): string;
  /** The server-sent event: `data` alone, named for the channel. */
  frame(): string;
};

/** The channel of a message, with its parameters. */
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

/** The beginning of a message's JSON text; the caller appends further fields and the closing brace. */
export const aboutText = (type: string, { channel, symbol, interval }: Subject): string =>
  `{"type":"${type}","channel":"${channel}"${symbol === undefined ? '' : `,"symbol":"${symbol}"`}${
    interval === undefined ? '' : `,"interval":"${interval}"`
  }`;
