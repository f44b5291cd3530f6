import { CORS_MAX_AGE_SECONDS, CORS_METHODS, CORS_REPLY_HEADERS, CORS_REQUEST_HEADERS } from './browsers.ts';
import type { GatewaySettings } from './gateway.settings.ts';

/** The parts of nginx' configuration that depend on the settings, by the name of their file. */
export function nginxSettings(settings: GatewaySettings): Record<string, string> {
  return {
    'settings.conf': httpSettings(settings),
    'listen.conf': listenLines(settings),
    'health.conf': health(settings.healthListen),
    'streams.conf': `limit_conn streams ${settings.streamsMax};\n`,
    'preflight.conf': preflight(),
    'inbox.conf': settings.inbox === null ? NO_INBOX : INBOX,
  };
}

/**
 * After three failures within 2 s nginx avoids an API for 2 s. A deployment waits longer than that between two APIs of a kind,
 * so that they are not both avoided. All workers share what they know (`zone`). Each worker keeps 64 connections to each API,
 * and closes them a little before the API would (65 s).
 */
const FAILURES = 'max_fails=3 fail_timeout=2s';
const KEEPALIVE = 'keepalive 64;\n    keepalive_timeout 60s;';

function httpSettings(settings: GatewaySettings): string {
  const { commandApis, queryApis, inbox, trustedProxies, accessLog } = settings;
  const servers = (endpoints: readonly string[]) =>
    endpoints.map((endpoint) => `    server ${endpoint} ${FAILURES};`).join('\n');
  const upstreams = [
    `upstream command_api {\n    zone command_api 64k;\n    hash $command_key consistent;\n${servers(commandApis)}\n    ${KEEPALIVE}\n}`,
    `upstream query_api {\n    zone query_api 64k;\n    least_conn;\n${servers(queryApis)}\n    ${KEEPALIVE}\n}`,
    ...(inbox === null ? [] : [`upstream inbox {\n    server ${inbox};\n}`]),
  ];
  return `${[...upstreams, clientAddress(trustedProxies), origins(settings.corsOrigins), limits(settings)].join('\n\n')}

access_log ${accessLog}${accessLog === 'off' ? '' : ' json'};
`;
}

/** The client's address and protocol: the connection's, unless a trusted load balancer names others. */
function clientAddress(trustedProxies: readonly string[]): string {
  const from = trustedProxies.map((range) => `set_real_ip_from ${range};\n`).join('');
  const trusted = trustedProxies.map((range) => `    ${range} 1;\n`).join('');
  return `${from}real_ip_header X-Forwarded-For;
real_ip_recursive on;
geo $realip_remote_addr $from_balancer {
    default 0;
${trusted}}
map "$from_balancer $http_x_forwarded_proto" $client_scheme {
    default $scheme;
    "1 http" http;
    "1 https" https;
}
map $client_scheme $transport_security {
    default "";
    https "max-age=31536000";
}`;
}

function origins(allowed: readonly string[]): string {
  const entries = allowed.map((origin) => `    "${origin}" $http_origin;\n`).join('');
  const vary = allowed.length > 0 ? 'Origin' : '';
  return `map $http_origin $cors_origin {
    default "";
${entries}}
map $cors_origin $cors_expose {
    "" "";
    default "${EXPOSED_HEADERS}";
}
map "" $cors_vary {
    default "${vary}";
}`;
}

const EXPOSED_HEADERS = CORS_REPLY_HEADERS.join(', ');

/** The reply to a preflight request, by which a browser asks whether its page may call. */
function preflight(): string {
  return `add_header Access-Control-Allow-Origin $cors_origin always;
add_header Access-Control-Allow-Methods "${CORS_METHODS.join(', ')}" always;
add_header Access-Control-Allow-Headers "${CORS_REQUEST_HEADERS.join(', ')}" always;
add_header Access-Control-Max-Age ${CORS_MAX_AGE_SECONDS} always;
add_header Vary $cors_vary always;
`;
}

/** The memory of a limit: 10 MB hold some 80,000 addresses. Those not seen for the longest time are dropped first. */
const ZONE = '10m';

function limits(settings: GatewaySettings): string {
  const { commandsPerSecondMax, queriesPerSecondMax, publicPerMinuteMax } = settings;
  return `limit_req_zone $address zone=commands:${ZONE} rate=${commandsPerSecondMax}r/s;
limit_req_zone $address zone=queries:${ZONE} rate=${queriesPerSecondMax}r/s;
limit_req_zone $public_address zone=public:${ZONE} rate=${publicPerMinuteMax}r/m;
limit_conn_zone $address zone=streams:${ZONE};
limit_conn_zone $address zone=connections:${ZONE};
limit_conn connections ${settings.connectionsMax};`;
}

function listenLines({ listen, tls }: GatewaySettings): string {
  const options = tls ? ' ssl http2' : '';
  const lines = listen.map((address) => `listen ${address}${options};`);
  if (!tls) return `${lines.join('\n')}\n`;
  return `${lines.join('\n')}
ssl_certificate ${tls.certificate};
ssl_certificate_key ${tls.key};
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache shared:tls:10m;
ssl_session_timeout 1h;
`;
}

/** A server for health checks without TLS, even if the gateway speaks TLS. */
function health(listen: string | null): string {
  if (listen === null) return '# Health is asked for at the gateway itself.\n';
  return `server {
    listen ${listen};
    access_log off;
    location = /livez {
        default_type application/json;
        return 200 '{"status":"ok"}';
    }
    location = /nginx_status {
        stub_status;
    }
}
`;
}

const NO_INBOX = '# The development inbox is not shown.\n';
const INBOX = `location = /dev/inbox {
    limit_req zone=queries burst=1000 nodelay;
    proxy_pass http://inbox;
}
`;
