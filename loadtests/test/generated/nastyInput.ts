import { randomUUID } from 'node:crypto';
import { BODIES, JSON_VALUES, RAW, TEXTS, TOKENS, UUID } from './nastyValues.ts';

/** Requests that nobody should send, made from an OpenAPI document: each is well formed but for one place of it. */
export type NastyRequest = {
  method: string;
  route: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** What is wrong with it; null: it is as it should be. */
  wrong: Wrong | null;
};
export type Wrong = {
  kind: 'path' | 'query' | 'header' | 'body' | 'field';
  name: string;
  value: string;
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

/** How a parameter called `name` may stand in a query. */
const QUERY_FORMS = ['name=1&name=2', 'name[]=1', 'name[a]=1', 'name', 'name=%00&__proto__=x'];

function* ofParameters(target: Target, operation: Operation, given: Given): Generator<NastyRequest> {
  const { method, route } = target;
  const [body] = bodiesOf(target, operation, given);
  const valid = () => ({ method, route, headers: keyed(), ...(body ? { body: JSON.stringify(body) } : {}) });
  yield { ...valid(), path: pathOf(target, given), wrong: null };
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
        yield { ...valid(), path, wrong: { kind: 'path', name, value: raw } };
      }
    } else if (place === 'query') {
      for (const raw of raws) {
        const path = `${pathOf(target, given)}?${name}=${raw}`;
        yield { ...valid(), path, wrong: { kind: 'query', name, value: raw } };
      }
      for (const form of QUERY_FORMS) {
        const path = `${pathOf(target, given)}?${form.replaceAll('name', name)}`;
        yield { ...valid(), path, wrong: { kind: 'query', name, value: form } };
      }
    } else if (place === 'header') {
      for (const text of texts) {
        // What no header can hold never arrives.
        if (/[^\t\x20-\x7e\x80-\xff]/.test(text)) continue;
        const headers = { ...keyed(), [name.toLowerCase()]: text };
        const path = pathOf(target, given);
        yield { ...valid(), path, headers, wrong: { kind: 'header', name, value: text } };
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
    const wrong = { kind: 'body', name: 'body', value: body } as const;
    yield { method, route, path, headers: keyed(), body, wrong };
  }
  for (const [number, body] of bodiesOf(target, operation, given).entries()) {
    for (const place of placesOf(schema, body)) {
      for (const value of JSON_VALUES) {
        const changed = JSON.stringify(withValue(withFields(body, given), place, value));
        const name = `${place.join('.')} of body ${number + 1}`;
        const wrong = { kind: 'field', name, value: JSON.stringify(value) } as const;
        yield { method, route, path, headers: keyed(), body: changed, wrong };
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
