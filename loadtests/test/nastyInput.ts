import { randomUUID } from 'node:crypto';

/** Requests that nobody should send, made from an OpenAPI document: each is well formed but for one place of it. */
export type NastyRequest = {
  method: string;
  route: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** The place, and what stands there. */
  what: string;
};

export type Schema = {
  type?: string;
  format?: string;
  pattern?: string;
  maxLength?: number;
  minItems?: number;
  minimum?: number;
  maximum?: number;
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  enum?: unknown[];
  default?: unknown;
  examples?: unknown[];
};
type Operation = {
  parameters?: { in: string; name: string; schema?: Schema }[];
  requestBody?: { content?: Record<string, { schema?: Schema; example?: unknown }> };
};
export type Document = { paths: Record<string, Record<string, Operation>> };

/** What fits into a body or a path so that what lies behind it is reached. */
export type Given = {
  /** By `name`, or `method path name` where an operation has something of its own. */
  paths: Readonly<Record<string, string>>;
  /** Whole bodies by `method path`, beside the document's examples. */
  bodies: Readonly<Record<string, readonly object[]>>;
  fields: Readonly<Record<string, () => unknown>>;
  storeId: string;
};

const LONG = 5_000;
const UUID = '019cb0a1-2b3c-7d4e-8f50-617283940a1b';
const INSTANTS = [
  '0000-01-01T00:00:00Z',
  '0001-01-01T00:00:00.000Z',
  '1969-12-31T23:59:59.999Z',
  '2026-02-30T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01T00:00:60Z',
  '2026-01-01T00:00:00+16:00',
  '2026-01-01T00:00:00-23:59',
  '2026-01-01T00:00:00+99:99',
  `2026-01-01T00:00:00.${'0'.repeat(120)}1Z`,
  '2199-12-31T23:59:59.999999999Z',
  '2200-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '9999-12-31T23:59:59.999+15:59',
  '+275760-09-13T00:00:00.000Z',
  '-000001-01-01T00:00:00Z',
  '2026-01-01',
  '0000-00-00',
  '9999-12-31',
  '1850-01-01',
];
const NUMBERS = [
  '-0',
  '-1',
  '0',
  '0.001',
  '1.5',
  '+1',
  '1e9',
  '1e309',
  '0x10',
  '１２',
  '999999999999999',
  '9007199254740992',
  '9223372036854775808',
  '1'.repeat(400),
  'NaN',
  'Infinity',
];
const TEXTS = [
  '',
  ' ',
  '\0',
  'A\0B',
  '\u0007',
  '\u001b[2J',
  '\r\nX-Injected: 1',
  '\u0085',
  '\u2028',
  '\u202e',
  '\ufeff',
  '\ufffe',
  '💥',
  'é',
  'e\u0301',
  '.',
  '..',
  '../../etc/passwd',
  '/',
  '\\',
  "'",
  '";--',
  '%s%n',
  '${7*7}',
  '{}',
  '[]',
  'null',
  'undefined',
  'true',
  '__proto__',
  'constructor',
  'A'.repeat(LONG),
  'a,b,,c',
  UUID,
  UUID.toUpperCase(),
  `${UUID}\0`,
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  'book-\0',
  'book-A\0,market-\0',
  'ann@\0.example',
  ...INSTANTS,
  ...NUMBERS,
];
/** Bytes of a URL that are no text at all. */
const RAW = ['%', '%zz', '%00', '%ED%A0%80', '%FF%FE', '%C0%80', '%E0%A4'];
const LISTS = ['orders', 'ledger', 'holdings', 'executions', 'symbols', 'candles', 'parked'];
const KEYS = [
  '',
  '\0',
  '1',
  '-1',
  '1.5',
  '999999999999999',
  '9'.repeat(30),
  'A\0',
  `1.${UUID}`,
  'x.y.z',
  '1.orders.1',
];
const TOKENS = LISTS.flatMap((list) =>
  KEYS.map((key) => Buffer.from(`${list}:${key}`).toString('base64url')),
);
const JSON_VALUES: unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  2 ** 53,
  [],
  {},
  [[[[]]]],
  { __proto__: 1 },
  '\ud800',
  'A\udfff',
  ['A\0'],
  ...TEXTS,
];
const BODIES = [
  '',
  ' ',
  'null',
  '0',
  '"text"',
  '[]',
  '{',
  '{"a":}',
  '{"__proto__":{"admin":true}}',
  '{"constructor":{"prototype":{}}}',
  '{"\\u0000":1}',
  '{"\\ud800":1}',
  `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
  '\u0000',
  '\ufeff{}',
  `{"a":"${'x'.repeat(200_000)}"}`,
];

/** Every parameter and every field of a body, each with every value. */
export function* nastyRequests(document: Document, given: Given): Generator<NastyRequest> {
  for (const [route, operations] of Object.entries(document.paths)) {
    for (const [verb, operation] of Object.entries(operations)) {
      const method = verb.toUpperCase();
      yield* ofParameters({ method, route }, operation, given);
      yield* ofBodies({ method, route }, operation, given);
    }
  }
}

type Target = { method: string; route: string };

function pathOf({ method, route }: Target, { paths }: Given, change?: { name: string; raw: string }): string {
  return route.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (change?.name === name) return change.raw;
    return encodeURIComponent(paths[`${method} ${route} ${name}`] ?? paths[name] ?? UUID);
  });
}
const keyed = (): Record<string, string> => ({ 'idempotency-key': randomUUID() });
const bodyOf = (operation: Operation) => operation.requestBody?.content?.['application/json'];
/** The test's own, or the document's example, or what the schema gives. */
function bodiesOf({ method, route }: Target, operation: Operation, given: Given): object[] {
  const { schema, example } = bodyOf(operation) ?? {};
  if (!schema) return [];
  const bodies = given.bodies[`${method} ${route}`] ?? [(example ?? exampleOf(schema)) as object];
  return bodies.map((body) => withFields(body, given));
}
const withFields = (body: object, { fields }: Given): object =>
  Object.fromEntries(Object.entries(body).map(([name, value]) => [name, fields[name]?.() ?? value]));

function exampleOf(schema: Schema): unknown {
  if (schema.examples?.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf?.[0]) return exampleOf(schema.anyOf[0]);
  if (schema.type === 'object')
    return Object.fromEntries(
      Object.entries(schema.properties ?? {}).map(([name, one]) => [name, exampleOf(one)]),
    );
  if (schema.type === 'array') return [exampleOf(schema.items ?? {})];
  if (schema.type === 'boolean') return false;
  return schema.type === 'integer' || schema.type === 'number' ? 1 : 'A';
}

function* ofParameters(target: Target, operation: Operation, given: Given): Generator<NastyRequest> {
  const { method, route } = target;
  const [body] = bodiesOf(target, operation, given);
  const valid = () => ({ method, route, headers: keyed(), ...(body ? { body: JSON.stringify(body) } : {}) });
  yield { ...valid(), path: pathOf(target, given), what: 'as it should be' };
  const token = (position: string) => `${given.storeId}:${position}`;
  const texts = [
    ...TEXTS,
    ...TOKENS,
    token('0'),
    token('-1'),
    token('999999999999999'),
    token('1\0'),
    `${UUID}:1`,
  ];
  const raws = [...texts.map((text) => encodeURIComponent(text)), ...RAW];
  for (const { in: place, name } of operation.parameters ?? []) {
    if (place === 'path') {
      for (const raw of raws) {
        // A URL with dots is another URL.
        if (raw === '' || raw === '.' || raw === '..') continue;
        const path = pathOf(target, given, { name, raw });
        yield { ...valid(), path, what: `path ${name} = ${raw.slice(0, 60)}` };
      }
    } else if (place === 'query') {
      for (const raw of raws) {
        const path = `${pathOf(target, given)}?${name}=${raw}`;
        yield { ...valid(), path, what: `query ${name} = ${raw.slice(0, 60)}` };
      }
      for (const query of [
        `${name}=1&${name}=2`,
        `${name}[]=1`,
        `${name}[a]=1`,
        name,
        `${name}=%00&__proto__=x`,
      ]) {
        yield { ...valid(), path: `${pathOf(target, given)}?${query}`, what: `query ${query}` };
      }
    } else if (place === 'header') {
      for (const text of texts) {
        // What no header can hold never arrives.
        if (/[^\t\x20-\x7e\x80-\xff]/.test(text)) continue;
        const headers = { ...keyed(), [name.toLowerCase()]: text };
        yield {
          ...valid(),
          path: pathOf(target, given),
          headers,
          what: `header ${name} = ${text.slice(0, 60)}`,
        };
      }
    }
  }
}

function* ofBodies(target: Target, operation: Operation, given: Given): Generator<NastyRequest> {
  const schema = bodyOf(operation)?.schema;
  if (!schema) return;
  const { method, route } = target;
  const path = pathOf(target, given);
  for (const body of BODIES) {
    yield { method, route, path, headers: keyed(), body, what: `body ${body.slice(0, 40)}` };
  }
  for (const body of bodiesOf(target, operation, given)) {
    for (const place of placesOf(schema, body)) {
      for (const value of JSON_VALUES) {
        const changed = JSON.stringify(withValue(withFields(body, given), place, value));
        const what = `body ${place.join('.')} = ${JSON.stringify(value).slice(0, 60)}`;
        yield { method, route, path, headers: keyed(), body: changed, what };
      }
    }
  }
}

/** Fields that the schema has and that the body has, as paths. */
function placesOf(schema: Schema, value: unknown, above: string[] = []): string[][] {
  const fields = schema.properties ?? {};
  const places = [...Object.keys(fields), 'unknown_field'].map((name) => [...above, name]);
  for (const [name, inner] of Object.entries(fields)) {
    const item = (value as Record<string, unknown> | undefined)?.[name];
    if (inner.properties) places.push(...placesOf(inner, item, [...above, name]));
    if (inner.items) {
      const at = [...above, name, '0'];
      places.push(at);
      if (inner.items.properties)
        places.push(...placesOf(inner.items, (item as unknown[] | undefined)?.[0], at));
    }
  }
  return places;
}

function withValue(body: unknown, [name, ...rest]: string[], value: unknown): unknown {
  if (name === undefined) return value;
  const inner = (body as Record<string, unknown> | undefined)?.[name];
  const changed = withValue(inner, rest, value);
  if (Array.isArray(body)) return body.with(0, changed);
  return { ...(body as object), [name]: changed };
}
