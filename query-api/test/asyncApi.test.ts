import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Channel, METHODS, PlaceOrder } from '@brokerx/contracts';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { expect, test } from 'vitest';
import { asyncApi } from '../src/ws/asyncApi.ts';

/** The specification's own schema. */
const specification = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve('@asyncapi/specs/schemas/3.0.0.json'), 'utf8'),
);
const document = asyncApi({ version: '1.0.0', protocol: 'ws', host: 'localhost:8002' });

test('the document is AsyncAPI 3', () => {
  const ajv = new Ajv({ strict: false, meta: false, validateSchema: false });
  addFormats.default(ajv);
  const isValid = ajv.compile(specification);
  expect([isValid(document), isValid.errors]).toEqual([true, null]);
  expect(isValid({ ...document, channels: { ws: { adress: '/' } } })).toBe(false);
});

test('every method and every channel is described, and every reference leads somewhere', () => {
  const { operations, channels, components } = document;
  expect(Object.keys(operations)).toEqual([...METHODS, 'stream']);
  const sent = Object.keys(components.messages);
  expect(sent).toEqual(
    expect.arrayContaining([...METHODS, ...Channel.options.map((name) => `data_${name}`)]),
  );
  expect(Object.keys(channels.ws.messages).sort()).toEqual(sent.sort());
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
    ([, path]) => path ?? '',
  );
  expect(references.length).toBeGreaterThan(sent.length);
  for (const path of references) {
    const found = path
      .split('/')
      .reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], document);
    expect(found, path).toBeDefined();
  }
});

test('an order is described as over HTTP', () => {
  const payload = document.components.messages['place_order'] as unknown as {
    payload: { properties: { params: { properties: { order: { properties: object } } } } };
  };
  expect(Object.keys(payload.payload.properties.params.properties.order.properties)).toEqual(
    Object.keys(PlaceOrder.shape),
  );
});
