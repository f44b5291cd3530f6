import { timeOf } from '@brokerx/contracts';
import type { Http } from '@brokerx/infra';
import { z } from 'zod';
import { INBOX_MAILS_MAX, type InboxReader, type ReceivedMail } from './mail.inbox.ts';

/** `/dev/inbox`: the mails of the development inbox, as JSON, or as a page for a browser. */
export function inboxRoutes(app: Http, inbox: InboxReader): void {
  app.get(
    '/dev/inbox',
    {
      config: { auth: 'public' },
      schema: {
        tags: ['Development'],
        summary: 'Mails that were sent',
        description:
          'Newest first. Exists only where no mail server is configured. A page for whoever accepts `text/html` first.',
        querystring: z.strictObject({
          to: z.string().max(254).optional(),
          limit: z.coerce.number().int().min(1).max(INBOX_MAILS_MAX).default(20),
        }),
        response: {
          200: {
            description: 'Mails, or a page that shows them.',
            content: {
              'application/json': { schema: z.object({ items: z.array(MailView) }) },
              'text/html': { schema: z.string() },
            },
          },
        },
      },
    },
    async (request, reply) => {
      const mails = await inbox.mails(request.query);
      if (!wantsPage(request.headers.accept)) return { items: mails.map(viewOf) };
      reply
        .header('content-security-policy', PAGE_POLICY)
        .type('text/html; charset=utf-8')
        .serializer((text: string) => text);
      return page(mails) as never;
    },
  );
}

const MailView = z.object({
  id: z.int(),
  to: z.string(),
  subject: z.string(),
  text: z.string(),
  received_at: z.string(),
});

const viewOf = ({ id, to, subject, text, receivedAtMs }: ReceivedMail) => ({
  id,
  to,
  subject,
  text,
  received_at: timeOf(receivedAtMs),
});

/** Browsers ask for HTML before anything else; programs do not. */
const wantsPage = (accept: string | undefined) => accept?.startsWith('text/html') ?? false;

const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

function page(mails: ReceivedMail[]): string {
  const articles = mails.map(
    ({ to, subject, text, receivedAtMs }) =>
      `<article><h2>${escape(subject)}</h2><p><b>${escape(to)}</b> · ${timeOf(receivedAtMs)}</p><pre>${escape(text)}</pre></article>`,
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5"><title>BrokerX inbox</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}
article{border-top:1px solid #8886;padding:.5rem 0}h2{font-size:1.1rem;margin:.5rem 0}pre{white-space:pre-wrap;font-size:1rem}</style>
<h1>Inbox</h1><p>All mail of this installation, newest first. No mail leaves this machine: no mail server is configured.</p>
${articles.join('\n') || '<p>Nothing yet. Register with <code>POST /v1/registrations</code>.</p>'}</html>`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text: string) => text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? '');
