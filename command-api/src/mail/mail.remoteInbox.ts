import type { Runtime } from '@brokerx/infra';
import { z } from 'zod';
import { tryLater } from '../commands/refusals.ts';
import type { InboxReader } from './mail.inbox.ts';

/**
 * Shows the development inbox of another command-api. Where several run, all mail goes to the inbox of the first one, and
 * each of them shows it. A restart of the first one empties it.
 */
export function remoteInbox(options: { url: string; runtime: Runtime }): InboxReader {
  const { url, runtime } = options;
  return {
    async mails({ to, limit }) {
      const query = new URLSearchParams({ limit: String(limit), ...(to === undefined ? {} : { to }) });
      try {
        const reply = await fetch(new URL(`/dev/inbox?${query}`, url), {
          headers: { accept: 'application/json' },
          signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
        });
        if (!reply.ok) throw new Error(`${url} answers ${reply.status}`);
        const { items } = Items.parse(await reply.json());
        return items.map(({ received_at, ...mail }) => ({ ...mail, receivedAtMs: Date.parse(received_at) }));
      } catch (cause) {
        throw tryLater(runtime, 'UNAVAILABLE', { detail: 'the inbox is not there at the moment', cause });
      }
    },
  };
}

/** The other process is on this machine, so it answers soon, or not at all while it restarts. */
const ANSWER_TIMEOUT_MS = 2_000;

const Items = z.object({
  items: z.array(
    z.object({
      id: z.int(),
      to: z.string(),
      subject: z.string(),
      text: z.string(),
      received_at: z.string(),
    }),
  ),
});
