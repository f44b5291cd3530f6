import { expect, test } from 'vitest';
import { z } from 'zod';
import { ConfigError, isAddressRange, loadConfig, portVariable, sharedVariables } from './config.ts';

const schema = z.object({
  DATABASE_URL: sharedVariables.DATABASE_URL,
  PORT: portVariable('The port of the API.').default(8001),
});
const DATABASE_URL = 'postgres://brokerx:secret@127.0.0.1:5432/brokerx';

test('what is set is parsed, what is empty counts as not set, and the result is frozen', () => {
  const config = loadConfig(schema, { DATABASE_URL, PORT: '', HOME: '/' });
  expect(config).toEqual({ DATABASE_URL, PORT: 8001 });
  expect(Object.isFrozen(config)).toBe(true);
});

test('every variable that is wrong is named with its rule and what it is for; a value is repeated that cannot be a secret', () => {
  const load = () => loadConfig(schema, { PORT: 'many' });
  expect(load).toThrow(ConfigError);
  expect(load).toThrow('DATABASE_URL: is not set\n      The PostgreSQL database, such as postgres://');
  expect(load).toThrow('PORT: must be a port, 0 to 65535 (it is "many")\n      The port of the API.');
  const canary = { DATABASE_URL: 'mysql://canary@host', PORT: '1' };
  expect(() => loadConfig(schema, canary)).toThrow('DATABASE_URL: must begin with postgres://');
  expect(() => loadConfig(schema, canary)).not.toThrow('canary');
});

test('a list of trusted proxies holds addresses and ranges, nothing else', () => {
  const load = (TRUSTED_PROXIES: string) =>
    loadConfig(z.object({ TRUSTED_PROXIES: sharedVariables.TRUSTED_PROXIES }), { TRUSTED_PROXIES });
  expect(load('')).toEqual({ TRUSTED_PROXIES: [] });
  expect(load('10.0.0.7, fd00::/8')).toEqual({ TRUSTED_PROXIES: ['10.0.0.7', 'fd00::/8'] });
  expect(() => load('10.0.0.7,gateway')).toThrow('TRUSTED_PROXIES: must be addresses or ranges');
  const ranges = ['10.0.0.0/33', '10.0.0.0/24/8', '10.0.0.0/', '10.0.0', '*', '::1/129'];
  expect(ranges.filter(isAddressRange)).toEqual([]);
});
