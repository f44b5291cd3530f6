import { isAddressRange, listVariable, loadConfig } from '@brokerx/infra/runtime/config.ts';
import { z } from 'zod';

/** The settings of a gateway: where it listens, what is behind it, and its limits. */
const endpoint = z.string().regex(/^[^:/\s]+:\d{1,5}$/, 'must be host:port, separated by commas');
const listen = z
  .string()
  .regex(/^(\[[0-9a-f:]+\]|[0-9.]+):\d{1,5}$/, 'must be address:port such as 0.0.0.0:8080 or [::]:8080');
/** A file name without characters that have a meaning in nginx' configuration. */
const file = z.string().regex(/^[^\s;'"{}]+$/, 'must be a file, without spaces and quotes');
const rate = (what: string, standard: number) =>
  z.coerce
    .number({ error: 'must be a whole number from 1 to 1000000' })
    .int()
    .min(1)
    .max(1_000_000)
    .default(standard)
    .describe(what);

const Variables = z.object({
  GATEWAY_LISTEN: withDefault(listVariable(listen), ['127.0.0.1:8080']).describe(
    'Addresses and ports that the gateway listens on, such as 0.0.0.0:8080,[::]:8080.',
  ),
  GATEWAY_HEALTH_LISTEN: listen
    .optional()
    .describe('Where /livez and /nginx_status are answered for this machine alone, such as 127.0.0.1:8079.'),
  GATEWAY_TLS_CERTIFICATE: file
    .optional()
    .describe('File of the certificate and its chain (PEM); with it the gateway speaks TLS.'),
  GATEWAY_TLS_KEY: file.optional().describe('File of the key of that certificate (PEM).'),
  GATEWAY_COMMAND_APIS: withDefault(listVariable(endpoint), ['127.0.0.1:8001']).describe(
    'The command-apis, such as 10.0.0.11:8001,10.0.0.12:8001.',
  ),
  GATEWAY_QUERY_APIS: withDefault(listVariable(endpoint), ['127.0.0.1:8002']).describe('The query-apis.'),
  GATEWAY_INBOX: endpoint
    .optional()
    .describe('Who serves /dev/inbox; not set: the gateway does not show it. Never for an open market.'),
  GATEWAY_CORS_ORIGINS: listVariable(
    z.string().regex(/^https?:\/\/[A-Za-z0-9.:[\]-]+$/, 'must be origins such as https://trade.example'),
  ).describe('Origins of pages that may call from a browser; none when empty.'),
  GATEWAY_TRUSTED_PROXIES: listVariable(
    z.string().refine(isAddressRange, 'must be addresses or ranges such as 10.0.0.7,10.1.0.0/16'),
  ).describe('Balancers in front of the gateway, whose X-Forwarded-For and -Proto count; none when empty.'),
  GATEWAY_COMMANDS_PER_SECOND_MAX: rate('Commands that one address may send in a second.', 200),
  GATEWAY_QUERIES_PER_SECOND_MAX: rate('Queries that one address may ask in a second.', 500),
  GATEWAY_PUBLIC_PER_MINUTE_MAX: rate(
    'Registrations, verifications, passcodes and sign-ins that one address may ask for in a minute.',
    600,
  ),
  GATEWAY_CONNECTIONS_MAX: rate('Requests that one address may have under way, streams apart.', 500),
  GATEWAY_STREAMS_MAX: rate('Streams that one address may have open.', 100),
  GATEWAY_TOKEN_ISSUER: z
    .string()
    .min(1)
    .optional()
    .describe(
      'KrakenD alone: it checks tokens of this issuer (AUTH_ISSUER) itself, and refuses without a body; not set: the APIs check.',
    ),
  GATEWAY_ACCESS_LOG: file
    .default('/dev/stdout')
    .describe('Where the gateway writes a JSON line for each request; off: nowhere.'),
});

export type GatewaySettings = {
  listen: readonly string[];
  healthListen: string | null;
  tls: { certificate: string; key: string } | null;
  commandApis: readonly string[];
  queryApis: readonly string[];
  inbox: string | null;
  corsOrigins: readonly string[];
  trustedProxies: readonly string[];
  commandsPerSecondMax: number;
  queriesPerSecondMax: number;
  publicPerMinuteMax: number;
  connectionsMax: number;
  streamsMax: number;
  /** The issuer of the tokens that the gateway checks; null: only the APIs check tokens. */
  tokenIssuer: string | null;
  accessLog: string;
};

/** Reads the settings from variables. Throws `ConfigError` for wrong ones. */
export function gatewaySettings(env?: NodeJS.ProcessEnv): GatewaySettings {
  const variables = loadConfig(Variables.superRefine(checkTlsPair), env);
  const { GATEWAY_TLS_CERTIFICATE: certificate, GATEWAY_TLS_KEY: key } = variables;
  return {
    listen: variables.GATEWAY_LISTEN,
    healthListen: variables.GATEWAY_HEALTH_LISTEN ?? null,
    tls: certificate && key ? { certificate, key } : null,
    commandApis: variables.GATEWAY_COMMAND_APIS,
    queryApis: variables.GATEWAY_QUERY_APIS,
    inbox: variables.GATEWAY_INBOX ?? null,
    corsOrigins: variables.GATEWAY_CORS_ORIGINS,
    trustedProxies: variables.GATEWAY_TRUSTED_PROXIES,
    commandsPerSecondMax: variables.GATEWAY_COMMANDS_PER_SECOND_MAX,
    queriesPerSecondMax: variables.GATEWAY_QUERIES_PER_SECOND_MAX,
    publicPerMinuteMax: variables.GATEWAY_PUBLIC_PER_MINUTE_MAX,
    connectionsMax: variables.GATEWAY_CONNECTIONS_MAX,
    streamsMax: variables.GATEWAY_STREAMS_MAX,
    tokenIssuer: variables.GATEWAY_TOKEN_ISSUER ?? null,
    accessLog: variables.GATEWAY_ACCESS_LOG,
  };
}

/** A list with a default in place of an empty one. */
function withDefault(list: z.ZodType<string[]>, standard: readonly string[]) {
  return list.transform((given) => (given.length > 0 ? given : [...standard]));
}

function checkTlsPair(
  given: { GATEWAY_TLS_CERTIFICATE?: string | undefined; GATEWAY_TLS_KEY?: string | undefined },
  context: z.RefinementCtx,
): void {
  const [set, missing] =
    given.GATEWAY_TLS_KEY === undefined
      ? (['GATEWAY_TLS_CERTIFICATE', 'GATEWAY_TLS_KEY'] as const)
      : (['GATEWAY_TLS_KEY', 'GATEWAY_TLS_CERTIFICATE'] as const);
  if (given[set] === undefined || given[missing] !== undefined) return;
  context.addIssue({
    code: 'custom',
    path: [set],
    message: `is set without ${missing}: set both or neither`,
  });
}
