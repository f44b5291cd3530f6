import { createLog, createShutdown, realRuntime, runMain } from '@brokerx/infra';
import packageJson from '../package.json' with { type: 'json' };
import { queryConfig } from './config.ts';
import { startQueryApi } from './start.ts';

/** The query-api process. */
await runMain(async () => {
  const { jwksUrl, logLevel, instance, ...config } = queryConfig();
  const log = createLog({ name: 'query-api', level: logLevel, ...(instance ? { instance } : {}) });
  const { onShutdown } = createShutdown(log);
  const { url } = await startQueryApi({
    ...config,
    jwks: new URL(jwksUrl),
    version: packageJson.version,
    runtime: realRuntime,
    log,
    onShutdown,
  });
  log.info({ url }, 'query-api answers');
});
