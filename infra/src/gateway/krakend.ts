import { TOKEN_ALGORITHM, TOKEN_AUDIENCE } from '../tokenVerifier.ts';
import type { ApiRoute } from './apiRoutes.ts';
import { CORS_MAX_AGE_SECONDS, CORS_METHODS, CORS_REPLY_HEADERS, CORS_REQUEST_HEADERS } from './browsers.ts';
import type { GatewaySettings } from './gateway.settings.ts';

/**
 * A configuration of KrakenD for the same routes: it verifies tokens itself, bounds rates and says which origins may
 * call. Streams are left out: its free edition does not pass on what has no end. A body is bounded by the APIs alone.
 */
export type KrakendOptions = {
  settings: Pick<
    GatewaySettings,
    | 'commandApis'
    | 'queryApis'
    | 'corsOrigins'
    | 'commandsPerSecondMax'
    | 'queriesPerSecondMax'
    | 'publicPerMinuteMax'
  >;
  /** The `iss` of access tokens. */
  issuer: string;
};

/** A query waits up to 2 s for its position; a command is answered or refused long before. */
const TIMEOUT = '15s';
/** As long as command-api lets its keys be kept. */
const KEYS_KEPT_SECONDS = 300;
/** A token with an unknown key makes the keys be fetched again at most this often. */
const KEYS_AGAIN_AFTER = '10s';
const HEADER_BYTES_MAX = 16 * 1024;

export function krakendConfig(routes: readonly ApiRoute[], options: KrakendOptions): string {
  const { corsOrigins } = options.settings;
  const config = {
    $schema: 'https://www.krakend.io/schema/v2.10/krakend.json',
    version: 3,
    name: 'BrokerX',
    port: 8080,
    timeout: TIMEOUT,
    max_header_bytes: HEADER_BYTES_MAX,
    extra_config: {
      router: { return_error_msg: false, disable_path_decoding: true, hide_version_header: true },
      'telemetry/logging': { level: 'WARNING', stdout: true },
      // An empty list would mean everybody.
      ...(corsOrigins.length > 0 ? { 'security/cors': cors(corsOrigins) } : {}),
    },
    endpoints: routes.filter(({ kind }) => kind !== 'stream').map((route) => endpoint(route, options)),
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function endpoint(route: ApiRoute, options: KrakendOptions) {
  const { api, method, path, headers, queries } = route;
  const { commandApis, queryApis } = options.settings;
  const hosts = (api === 'command' ? commandApis : queryApis).map((host) => `http://${host}`);
  const bodied = method === 'GET' ? [] : ['Content-Type'];
  return {
    endpoint: path,
    method,
    output_encoding: 'no-op',
    timeout: TIMEOUT,
    input_headers: ['Accept', 'Authorization', ...bodied, ...headers, 'traceparent'],
    ...(queries.length > 0 ? { input_query_strings: queries } : {}),
    backend: [{ host: hosts, url_pattern: path, method, encoding: 'no-op', disable_host_sanitize: false }],
    extra_config: { ...validator(route, options), 'qos/ratelimit/router': rateLimit(route, options) },
  };
}

function validator({ roles }: ApiRoute, { settings, issuer }: KrakendOptions) {
  if (roles === null) return {};
  return {
    'auth/validator': {
      alg: TOKEN_ALGORITHM,
      jwk_url: `http://${settings.commandApis[0]}/.well-known/jwks.json`,
      // Inside the network of the services.
      disable_jwk_security: true,
      cache: true,
      cache_duration: KEYS_KEPT_SECONDS,
      failed_jwk_key_cooldown: KEYS_AGAIN_AFTER,
      issuer,
      audience: [TOKEN_AUDIENCE],
      roles_key: 'roles',
      roles,
    },
  };
}

/** Of one address at one route; KrakenD counts each route for itself. */
function rateLimit({ kind, roles, method }: ApiRoute, { settings }: KrakendOptions) {
  if (roles === null && method !== 'GET') {
    return { client_max_rate: settings.publicPerMinuteMax, every: '1m', strategy: 'ip' };
  }
  const isQuery = kind === 'query' || kind === 'command_read';
  const rate = isQuery ? settings.queriesPerSecondMax : settings.commandsPerSecondMax;
  return { client_max_rate: rate, strategy: 'ip' };
}

const cors = (origins: readonly string[]) => ({
  allow_origins: origins,
  allow_methods: CORS_METHODS,
  allow_headers: CORS_REQUEST_HEADERS,
  expose_headers: CORS_REPLY_HEADERS,
  max_age: `${CORS_MAX_AGE_SECONDS}s`,
});
