import { runMain, startProcess } from '@brokerx/infra';
import packageJson from '../package.json' with { type: 'json' };
import { queryConfig } from './config.ts';
import { startQueryApi } from './start.ts';

/** The query-api process. */
await runMain(async () => {
  const { jwksUrl, logLevel, instance, telemetryEndpoint, ...config } = queryConfig();
  const { version } = packageJson;
  const { shutdown, ...basics } = await startProcess({
    service: 'query-api',
    version,
    instance,
    logLevel,
    telemetryEndpoint,
  });
  const { onShutdown } = shutdown;
  const { log } = basics;
  const { url } = await startQueryApi({ ...config, ...basics, jwks: new URL(jwksUrl), version, onShutdown });
  log.info({ url }, 'query-api answers');
});
