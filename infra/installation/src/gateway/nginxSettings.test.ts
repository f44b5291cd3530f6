import { expect, test } from 'vitest';
import { gatewaySettings } from './gateway.settings.ts';
import { nginxSettings } from './nginxSettings.ts';

const files = (env: Record<string, string>) => nginxSettings(gatewaySettings(env));

test('without a word it listens on this machine alone, believes nobody, lets no page in and shows no mail', () => {
  const { 'listen.conf': listen, 'settings.conf': settings = '', 'inbox.conf': inbox } = files({});
  expect(listen).toBe('listen 127.0.0.1:8080;\n');
  expect(settings).not.toContain('set_real_ip_from');
  expect(settings).toContain('map $http_origin $cors_origin {\n    default "";\n}');
  expect(inbox).toBe('# The development inbox is not shown.\n');
});

test('with a certificate it speaks TLS at every address, and health stays plain', () => {
  const made = files({
    GATEWAY_LISTEN: '0.0.0.0:8443, [::]:8443',
    GATEWAY_TLS_CERTIFICATE: '/tls/fullchain.pem',
    GATEWAY_TLS_KEY: '/tls/key.pem',
    GATEWAY_HEALTH_LISTEN: '127.0.0.1:8079',
  });
  expect(made['listen.conf']).toContain(
    'listen 0.0.0.0:8443 ssl http2;\nlisten [::]:8443 ssl http2;\nssl_certificate',
  );
  expect(made['health.conf']).toContain('listen 127.0.0.1:8079;');
});

test.for([
  ['GATEWAY_TLS_KEY', '/tls/key.pem', 'is set without GATEWAY_TLS_CERTIFICATE: set both or neither'],
  ['GATEWAY_CORS_ORIGINS', 'https://trade.example/; evil', 'must be origins such as https://trade.example'],
  ['GATEWAY_COMMAND_APIS', 'command-api', 'must be host:port, separated by commas'],
  ['GATEWAY_LISTEN', '8080', 'must be address:port such as 0.0.0.0:8080 or [::]:8080'],
  ['GATEWAY_TRUSTED_PROXIES', 'balancer', 'must be addresses or ranges such as 10.0.0.7,10.1.0.0/16'],
  ['GATEWAY_ACCESS_LOG', '/tmp/x; load_module evil', 'must be a file, without spaces and quotes'],
] as const)('%s=%s is refused', ([variable, value, rule]) => {
  expect(() => gatewaySettings({ [variable]: value })).toThrow(`${variable}: ${rule}`);
});
