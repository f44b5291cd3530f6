import { createLog, createShutdown, runMain, realRuntime as runtime, startTelemetry } from '@brokerx/infra';
import packageJson from '../package.json' with { type: 'json' };
import { queryConfig } from './config.ts';
import { startQueryApi } from './start.ts';

const SERVICE = 'query-api';

/** The query-api process. */
await runMain(async () => {
  const { jwksUrl, logLevel, instance, telemetryEndpoint: endpoint, ...config } = queryConfig();
  const log = createLog({ name: SERVICE, level: logLevel, ...(instance ? { instance } : {}) });
  const { onShutdown } = createShutdown(log);
  const { version } = packageJson;
  const telemetry = await startTelemetry({ endpoint, service: SERVICE, version, instance, log, runtime });
  onShutdown('tracing', () => telemetry.stop());
  const { url } = await startQueryApi({
    ...config,
    jwks: new URL(jwksUrl),
    version,
    runtime,
    log,
    telemetry,
    onShutdown,
  });
  log.info({ url }, 'query-api answers');
});
