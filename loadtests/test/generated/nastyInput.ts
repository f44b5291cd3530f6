import { randomUUID } from 'node:crypto';
import { BODIES, JSON_VALUES, RAW, TEXTS, TOKENS, UUID } from './nastyValues.ts';

/** A request made from an OpenAPI document that is well formed except in one place. */
export type NastyRequest = {
  method: string;
  route: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** The place and the wrong value; null: the request is well formed. */
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

/** Valid values for bodies and paths, so that requests get past the validation. */
export type ValidValues = {
  /** By `name`, or by `method path name` for a value that only one operation uses. */
  paths: Readonly<Record<string, string>>;
  /** Whole bodies by `method path`. Defaults to the document's examples. */
  bodies: Readonly<Record<string, readonly object[]>>;
  fields: Readonly<Record<string, () => unknown>>;
  storeId: string;
};

/** Makes requests with every wrong value for every parameter and for every field of a body. */
export function* nastyRequests(document: Document, valid: ValidValues): Generator<NastyRequest> {
  for (const [route, operations] of Object.entries(document.paths)) {
    for (const [verb, operation] of Object.entries(operations)) {
      const method = verb.toUpperCase();
      yield* requestsOfParameters({ method, route }, operation, valid);
      yield* requestsOfBodies({ method, route }, operation, valid);
    }
  }
}

type Target = { method: string; route: string };

function pathOf(
  { method, route }: Target,
  { paths }: ValidValues,
  change?: { name: string; raw: string },
): string {
  return route.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (change?.name === name) return change.raw;
    return encodeURIComponent(paths[`${method} ${route} ${name}`] ?? paths[name] ?? UUID);
  });
}
const newKey = (): Record<string, string> => ({ 'idempotency-key': randomUUID() });
const bodyOf = (operation: Operation) => operation.requestBody?.content?.['application/json'];
/** The test's own bodies, else the document's example, else one made from the schema. */
function bodiesOf({ method, route }: Target, operation: Operation, valid: ValidValues): object[] {
  const { schema, example } = bodyOf(operation) ?? {};
  if (!schema) return [];
  const bodies = valid.bodies[`${method} ${route}`] ?? [(example ?? exampleOf(schema)) as object];
  return bodies.map((body) => withFields(body, valid));
}
const withFields = (body: object, { fields }: ValidValues): object =>
  Object.fromEntries(Object.entries(body).map(([name, value]) => [name, fields[name]?.() ?? value]));

function exampleOf(schema: Schema): unknown {
  if (schema.examples?.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf?.[0]) return exampleOf(schema.anyOf[0]);
  if (schema.type === 'object')
    return Object.fromEntries(
      Object.entries(schema.properties ?? {}).map(([name, field]) => [name, exampleOf(field)]),
    );
  if (schema.type === 'array') return [exampleOf(schema.items ?? {})];
  if (schema.type === 'boolean') return false;
  return schema.type === 'integer' || schema.type === 'number' ? 1 : 'A';
}

/** Unusual forms of a parameter called `name` in a query. */
const QUERY_FORMS = ['name=1&name=2', 'name[]=1', 'name[a]=1', 'name', 'name=%00&__proto__=x'];

function* requestsOfParameters(
  target: Target,
  operation: Operation,
  valid: ValidValues,
): Generator<NastyRequest> {
  const { method, route } = target;
  const [body] = bodiesOf(target, operation, valid);
  const request = () => ({
    method,
    route,
    headers: newKey(),
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  yield { ...request(), path: pathOf(target, valid), wrong: null };
  const token = (position: string) => `${valid.storeId}:${position}`;
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
        // A path with dots is resolved to another path before it is sent.
        if (raw === '' || raw === '.' || raw === '..') continue;
        const path = pathOf(target, valid, { name, raw });
        yield { ...request(), path, wrong: { kind: 'path', name, value: raw } };
      }
    } else if (place === 'query') {
      for (const raw of raws) {
        const path = `${pathOf(target, valid)}?${name}=${raw}`;
        yield { ...request(), path, wrong: { kind: 'query', name, value: raw } };
      }
      for (const form of QUERY_FORMS) {
        const path = `${pathOf(target, valid)}?${form.replaceAll('name', name)}`;
        yield { ...request(), path, wrong: { kind: 'query', name, value: form } };
      }
    } else if (place === 'header') {
      for (const text of texts) {
        // A header cannot carry these characters.
        if (/[^\t\x20-\x7e\x80-\xff]/.test(text)) continue;
        const headers = { ...newKey(), [name.toLowerCase()]: text };
        const path = pathOf(target, valid);
        yield { ...request(), path, headers, wrong: { kind: 'header', name, value: text } };
      }
    }
  }
}

function* requestsOfBodies(
  target: Target,
  operation: Operation,
  valid: ValidValues,
): Generator<NastyRequest> {
  const schema = bodyOf(operation)?.schema;
  if (!schema) return;
  const { method, route } = target;
  const path = pathOf(target, valid);
  for (const body of BODIES) {
    const wrong = { kind: 'body', name: 'body', value: body } as const;
    yield { method, route, path, headers: newKey(), body, wrong };
  }
  for (const [number, body] of bodiesOf(target, operation, valid).entries()) {
    for (const place of placesOf(schema, body)) {
      for (const value of JSON_VALUES) {
        const changed = JSON.stringify(withValue(withFields(body, valid), place, value));
        const name = `${place.join('.')} of body ${number + 1}`;
        const wrong = { kind: 'field', name, value: JSON.stringify(value) } as const;
        yield { method, route, path, headers: newKey(), body: changed, wrong };
      }
    }
  }
}

/** The paths of all fields in the schema and in the body. */
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
