/** One server-sent event. */
export type StreamEvent = { id: string | undefined; event: string; data: string };

/** Parses the lines of a `text/event-stream` into events. It drops comments, which are heartbeats. */
export async function* streamEvents(lines: AsyncIterable<string>): AsyncGenerator<StreamEvent> {
  let id: string | undefined;
  let event = 'message';
  let data: string[] = [];
  for await (const raw of lines) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (line === '') {
      if (data.length > 0) yield { id, event, data: data.join('\n') };
      event = 'message';
      data = [];
    } else if (line.startsWith('id:')) id = line.slice(3).trim();
    else if (line.startsWith('event:')) event = line.slice(6).trim();
    else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
  }
}
