import { createLog, createMetrics, createShutdown, realRuntime, runMain } from '@brokerx/infra';
import { bearerAuth } from '@brokerx/infra/auth/auth.ts';
import { buildHttp } from '@brokerx/infra/http/http.ts';
import { inboxConfig } from './config.ts';
import { inboxRoutes } from './inboxRoutes.ts';
import { developmentInbox } from './mail.inbox.ts';

/**
 * Runs the development inbox as a process of its own, for several command-apis that are given its address as `SMTP_URL`.
 * Whoever can reach it reads everybody's passcodes.
 */
const SERVICE = 'inbox';
const VERSION = '0.1.0';

await runMain(async () => {
  const { LOG_LEVEL: level, HOST: host, INBOX_SMTP_PORT, INBOX_PORT } = inboxConfig();
  const log = createLog({ name: SERVICE, level });
  const shutdown = createShutdown(log);
  const listen = { host, port: INBOX_SMTP_PORT };
  const inbox = await developmentInbox({ runtime: realRuntime, log, listen });
  shutdown.onShutdown('inbox', () => inbox.close());
  const app = await buildHttp({
    title: 'BrokerX development inbox',
    version: VERSION,
    log,
    metrics: createMetrics(SERVICE, VERSION),
    ready: async () => ({}),
    // No route needs a sign-in.
    authenticate: bearerAuth({ verify: () => 'invalid' }),
  });
  inboxRoutes(app, inbox);
  shutdown.onShutdown('http', () => app.close());
  const url = await app.listen({ host, port: INBOX_PORT });
  log.info({ url, smtp: inbox.url }, 'takes mail');
});
