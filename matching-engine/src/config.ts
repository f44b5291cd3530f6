import { adapterVariables } from '@brokerx/infra/adapters.settings.ts';
import { loadConfig, printProblems, sharedVariables } from '@brokerx/infra/runtime/config.ts';
import { z } from 'zod';

const { LOG_LEVEL, HOST, HEALTH_PORT, BROKERX_INSTANCE, OTEL_EXPORTER_OTLP_ENDPOINT } = sharedVariables;

const schema = z.object({
  ...adapterVariables,
  LOG_LEVEL,
  HOST,
  HEALTH_PORT,
  BROKERX_INSTANCE: BROKERX_INSTANCE.default('matching-engine-1'),
  OTEL_EXPORTER_OTLP_ENDPOINT,
});

/** The configuration of an engine process. Throws `ConfigError`, which names every wrong variable. */
export const matchingEngineConfig = (env: NodeJS.ProcessEnv = process.env) => loadConfig(schema, env);

if (import.meta.main) printProblems(matchingEngineConfig);
