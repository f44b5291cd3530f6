import { adapterSettings, adapterVariables } from '@brokerx/infra/adapters.settings.ts';
import { loadConfig, printProblems, sharedVariables } from '@brokerx/infra/runtime/config.ts';
import { z } from 'zod';

/** What this process is told from outside. */
export const readConfig = (env: NodeJS.ProcessEnv = process.env) => {
  const config = loadConfig(
    z.object({
      ...adapterVariables,
      READ_DATABASE_URL: sharedVariables.DATABASE_URL.optional().describe(
        'The PostgreSQL database of the read models; DATABASE_URL when not set.',
      ),
      HOST: sharedVariables.HOST,
      HEALTH_PORT: sharedVariables.HEALTH_PORT,
      BROKERX_INSTANCE: sharedVariables.BROKERX_INSTANCE,
      BROKERX_OPENING: sharedVariables.BROKERX_OPENING,
      LOG_LEVEL: sharedVariables.LOG_LEVEL,
      OTEL_EXPORTER_OTLP_ENDPOINT: sharedVariables.OTEL_EXPORTER_OTLP_ENDPOINT,
    }),
    env,
  );
  return Object.freeze({
    settings: adapterSettings(config),
    readDatabaseUrl: config.READ_DATABASE_URL ?? config.DATABASE_URL,
    host: config.HOST,
    healthPort: config.HEALTH_PORT,
    instance: config.BROKERX_INSTANCE ?? 'projectors-1',
    opening: config.BROKERX_OPENING,
    logLevel: config.LOG_LEVEL,
    telemetryEndpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
  });
};

if (import.meta.main) printProblems(readConfig);
