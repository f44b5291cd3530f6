import { adapterSettings, adapterVariables } from '@brokerx/infra/adapters.settings.ts';
import {
  listenVariable,
  listVariable,
  loadConfig,
  portVariable,
  printProblems,
  sharedVariables,
} from '@brokerx/infra/runtime/config.ts';
import { connectionBounds } from '@brokerx/infra/runtime/connectionBounds.ts';
import { z } from 'zod';
import { boundVariables, queryBounds } from './reading/bounds.ts';

const { LOG_LEVEL, BROKERX_INSTANCE, TRUSTED_PROXIES, OTEL_EXPORTER_OTLP_ENDPOINT } = sharedVariables;
const { CONNECTIONS_PER_ADDRESS_MAX, HALF_SENT_PER_ADDRESS_MAX } = sharedVariables;

const Variables = z.object({
  ...adapterVariables,
  LOG_LEVEL,
  BROKERX_INSTANCE,
  TRUSTED_PROXIES,
  CONNECTIONS_PER_ADDRESS_MAX,
  HALF_SENT_PER_ADDRESS_MAX,
  OTEL_EXPORTER_OTLP_ENDPOINT,
  ...boundVariables,
  READ_DATABASE_URL: adapterVariables.DATABASE_URL.optional().describe(
    'The PostgreSQL database of the read models; the same as DATABASE_URL when not set.',
  ),
  QUERY_API_HOST: listenVariable('The address that query-api listens on; 0.0.0.0 for every interface.'),
  QUERY_API_PORT: portVariable('The port that query-api listens on; 0: any free one.').default(8002),
  QUERY_API_CORS_ORIGINS: listVariable(
    z.string().regex(/^https?:\/\/[^/\s]+$/, 'must be origins such as https://trade.example'),
  ).describe(
    'Origins of pages that may call query-api from a browser, separated by commas; none when empty.',
  ),
  COMMAND_API_URL: z
    .url()
    .default('http://127.0.0.1:8001')
    .describe('The command-api that orders of the WebSocket go to.'),
  AUTH_JWKS_URL: z
    .url()
    .optional()
    .describe(
      'Where the public keys of access tokens are; not set: /.well-known/jwks.json of COMMAND_API_URL.',
    ),
  AUTH_ISSUER: z
    .string()
    .regex(/^\S+$/, 'must be an address or a word, without spaces')
    .optional()
    .describe('The `iss` of access tokens, the same as command-api’s; not set: COMMAND_API_URL.'),
});

export type QueryConfig = ReturnType<typeof queryConfig>;

export function queryConfig(env?: NodeJS.ProcessEnv) {
  const given = loadConfig(Variables, env);
  return Object.freeze({
    settings: adapterSettings(given),
    readDatabaseUrl: given.READ_DATABASE_URL ?? given.DATABASE_URL,
    host: given.QUERY_API_HOST,
    port: given.QUERY_API_PORT,
    corsOrigins: given.QUERY_API_CORS_ORIGINS,
    trustedProxies: given.TRUSTED_PROXIES,
    bounds: connectionBounds(given),
    queryBounds: queryBounds(given),
    commandUrl: given.COMMAND_API_URL,
    jwksUrl: given.AUTH_JWKS_URL ?? new URL('/.well-known/jwks.json', given.COMMAND_API_URL).href,
    issuer: given.AUTH_ISSUER ?? new URL(given.COMMAND_API_URL).origin,
    logLevel: given.LOG_LEVEL,
    instance: given.BROKERX_INSTANCE,
    telemetryEndpoint: given.OTEL_EXPORTER_OTLP_ENDPOINT,
  });
}

if (import.meta.main) printProblems(queryConfig);
