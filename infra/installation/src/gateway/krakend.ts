import { TOKEN_ALGORITHM, TOKEN_AUDIENCE } from '@brokerx/infra/auth/tokenVerifier.ts';
import { ConfigError } from '@brokerx/infra/runtime/config.ts';
import type { ApiRoute } from './apiRoutes.ts';
import { CORS_MAX_AGE_SECONDS, CORS_METHODS, CORS_REPLY_HEADERS, CORS_REQUEST_HEADERS } from './browsers.ts';
import type { GatewaySettings } from './gateway.settings.ts';

/**
 * Makes a configuration of KrakenD for the same routes. It bounds rates and says which origins may call. Streams and HEAD are
 * left out, because the community edition cannot pass on replies without end and sends no HEAD. The APIs bound bodies, and
 * check tokens: KrakenD checks them only if it is told to, because its refusals have no body.
 */
export type KrakendOptions = Pick<
  GatewaySettings,
  | 'commandApis'
  | 'queryApis'
  | 'corsOrigins'
  | 'trustedProxies'
  | 'commandsPerSecondMax'
  | 'queriesPerSecondMax'
  | 'publicPerMinuteMax'
  | 'tokenIssuer'
>;

/** Far longer than a reply takes: a query waits up to 2 s for its position, and a command is answered or refused sooner. */
const TIMEOUT = '15s';
/** Bounds of a request's head, the same as nginx has. */
const HEADER_BYTES_MAX = 16 * 1024;
const HEADER_TIMEOUT = '10s';
/** KrakenD closes its connections to the APIs before the APIs do (65 s), and those of its clients a little later. */
const IDLE_TO_APIS = '60s';
const IDLE_OF_CLIENTS = '75s';
/** If an address of a name does not answer in this time, the next one is tried. */
const DIAL_TIMEOUT = '1s';
/** Bursts beyond the rates, as nginx has them. Without them KrakenD lets one request through at a time. */
const COMMANDS_BURST = 400;
const QUERIES_BURST = 1_000;
const PUBLIC_BURST = 100;
/** Signing keys rarely change: they are cached for a day. For an unknown key they are fetched again, at most this often. */
const KEYS_CACHE_SECONDS = 86_400;
const UNKNOWN_KEY_COOLDOWN = '10s';

export function krakendConfig(routes: readonly ApiRoute[], options: KrakendOptions): string {
  refuseSeveralHosts(options);
  const { corsOrigins, tokenIssuer } = options;
  const config = {
    $schema: 'https://www.krakend.io/schema/v2.10/krakend.json',
    version: 3,
    name: 'BrokerX',
    port: 8080,
    timeout: TIMEOUT,
    max_header_bytes: HEADER_BYTES_MAX,
    read_header_timeout: HEADER_TIMEOUT,
    idle_timeout: IDLE_OF_CLIENTS,
    idle_connection_timeout: IDLE_TO_APIS,
    dialer_timeout: DIAL_TIMEOUT,
    extra_config: {
      router: router(options),
      ...(tokenIssuer === null ? {} : { 'auth/validator': { shared_cache_duration: KEYS_CACHE_SECONDS } }),
      'telemetry/logging': { level: 'WARNING', stdout: true },
      // An empty list would allow every origin.
      ...(corsOrigins.length > 0 ? { 'security/cors': cors(corsOrigins) } : {}),
    },
    endpoints: routes.filter(({ kind }) => kind !== 'stream').map((route) => endpoint(route, options)),
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** KrakenD sends requests to several hosts in turn, even to one that is down, and each such request gets a 500. */
function refuseSeveralHosts({ commandApis, queryApis }: KrakendOptions): void {
  const problems = [
    ['GATEWAY_COMMAND_APIS', commandApis] as const,
    ['GATEWAY_QUERY_APIS', queryApis] as const,
  ].flatMap(([variable, hosts]) =>
    hosts.length === 1
      ? []
      : [
          {
            variable,
            rule: 'must be one host for KrakenD',
            remedy: 'Give a name that leads to the addresses of all of them, such as command-api:8080.',
          },
        ],
  );
  if (problems.length > 0) throw new ConfigError(problems);
}

/** Passes paths on unchanged: KrakenD decodes and redirects nothing, and sends no texts of its own. */
const router = ({ trustedProxies }: KrakendOptions) => ({
  hide_version_header: true,
  disable_redirect_trailing_slash: true,
  disable_redirect_fixed_path: true,
  disable_handle_method_not_allowed: true,
  error_body: { '404': NO_ROUTE },
  // By default it believes anybody's X-Forwarded-For, which would defeat every limit by address.
  ...(trustedProxies.length > 0
    ? {
        forwarded_by_client_ip: true,
        remote_ip_headers: ['X-Forwarded-For'],
        trusted_proxies: trustedProxies,
      }
    : { forwarded_by_client_ip: false }),
});

const NO_ROUTE = {
  type: 'about:blank',
  title: 'There is no such route.',
  status: 404,
  code: 'ROUTE_NOT_FOUND',
  retryable: false,
};

function endpoint(route: ApiRoute, options: KrakendOptions) {
  const { api, method, path, headers } = route;
  const { commandApis, queryApis } = options;
  const hosts = (api === 'command' ? commandApis : queryApis).map((host) => `http://${host}`);
  const bodyHeaders = method === 'GET' ? [] : ['Content-Type'];
  return {
    endpoint: path,
    method,
    output_encoding: 'no-op',
    timeout: TIMEOUT,
    input_headers: ['Accept', 'Authorization', ...bodyHeaders, ...headers, 'traceparent'],
    // All parameters: the API refuses unknown ones, but a filter dropped here would silently return everything.
    input_query_strings: ['*'],
    backend: [{ host: hosts, url_pattern: path, method, encoding: 'no-op', disable_host_sanitize: false }],
    extra_config: { ...validator(route, options), 'qos/ratelimit/router': rateLimit(route, options) },
  };
}

function validator({ roles }: ApiRoute, { commandApis, tokenIssuer }: KrakendOptions) {
  if (roles === null || tokenIssuer === null) return {};
  return {
    'auth/validator': {
      alg: TOKEN_ALGORITHM,
      jwk_url: `http://${commandApis[0]}/.well-known/jwks.json`,
      // The keys come over the services' own network, without TLS.
      disable_jwk_security: true,
      cache: true,
      cache_duration: KEYS_CACHE_SECONDS,
      failed_jwk_key_cooldown: UNKNOWN_KEY_COOLDOWN,
      issuer: tokenIssuer,
      audience: [TOKEN_AUDIENCE],
      roles_key: 'roles',
      roles,
    },
  };
}

/** The limit for one address at one route: KrakenD counts each route separately. */
function rateLimit({ kind, roles, method }: ApiRoute, options: KrakendOptions) {
  const { commandsPerSecondMax, queriesPerSecondMax, publicPerMinuteMax } = options;
  if (roles === null && method !== 'GET') {
    return {
      client_max_rate: publicPerMinuteMax,
      client_capacity: PUBLIC_BURST,
      every: '1m',
      strategy: 'ip',
    };
  }
  if (kind === 'query' || kind === 'command_read') {
    return { client_max_rate: queriesPerSecondMax, client_capacity: QUERIES_BURST, strategy: 'ip' };
  }
  return { client_max_rate: commandsPerSecondMax, client_capacity: COMMANDS_BURST, strategy: 'ip' };
}

const cors = (origins: readonly string[]) => ({
  allow_origins: origins,
  allow_methods: CORS_METHODS,
  allow_headers: CORS_REQUEST_HEADERS,
  expose_headers: CORS_REPLY_HEADERS,
  max_age: `${CORS_MAX_AGE_SECONDS}s`,
});
