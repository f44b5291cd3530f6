/** A reader of server-sent events for tests: collects messages, can stop taking them, and can leave. */
export type Message = { event: string; id: string | undefined; data: unknown };

export async function openEventSource(url: string, headers: Record<string, string> = {}) {
  const aborter = new AbortController();
  const response = await fetch(url, { headers, signal: aborter.signal });
  const messages: Message[] = [];
  let wake: () => void = () => undefined;
  let ended = false;
  let paused: Promise<void> | null = null;
  let resume: () => void = () => undefined;

  const read = async () => {
    const { body } = response;
    if (!body) return;
    let text = '';
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      await paused;
      text += chunk;
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) {
        const message = parse(part);
        if (message) messages.push(message);
      }
      wake();
    }
  };
  let failure: unknown;
  const reading = read()
    .catch((error: unknown) => {
      // A server that goes away cuts it off, too.
      if (!aborter.signal.aborted) failure = error;
    })
    .finally(() => {
      ended = true;
      wake();
    });

  return {
    response,
    messages,
    /** Resolves when the messages satisfy the condition; fails when the stream ends before. */
    async until(condition: (messages: readonly Message[]) => boolean): Promise<void> {
      while (!condition(messages)) {
        if (ended) {
          const last = JSON.stringify(messages.slice(-5));
          throw new Error(`the stream ended after ${last}`, { cause: failure });
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    /** Stops taking anything until the returned function is called. */
    pause(): () => void {
      paused = new Promise((resolve) => {
        resume = resolve;
      });
      return () => {
        resume();
        paused = null;
      };
    },
    ended: reading,
    async close() {
      aborter.abort();
      await reading;
    },
  };
}

function parse(part: string): Message | undefined {
  const fields = new Map(
    part.split('\n').map((line) => {
      const colon = line.indexOf(': ');
      return [line.slice(0, colon), line.slice(colon + 2)] as const;
    }),
  );
  const event = fields.get('event');
  return event === undefined
    ? undefined
    : { event, id: fields.get('id'), data: JSON.parse(fields.get('data') ?? 'null') };
}
