import type { Api, RawRequest, Reply } from '@brokerx/client';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { z } from 'zod';

/**
 * Compares the replies of both APIs with their descriptions in `/openapi.json`: statuses, media types, headers, and bodies
 * by their JSON Schema (2020-12, as in OpenAPI 3.1).
 */
export type Reference = {
  /** The names of all operations, such as `GET /v1/orders/{id}`. */
  operations: string[];
  /** The classes of the statuses with which an operation has replied: `2xx`, `4xx`, `5xx`. */
  answered(operation: string): string[];
  /** Checks a reply. Requests to routes that are not described are ignored. */
  check(base: 'command' | 'query', request: RawRequest, reply: Reply): void;
  /** The deviations of replies from their descriptions. */
  readonly deviations: string[];
};

const Response = z.looseObject({
  headers: z.record(z.string(), z.unknown()).default({}),
  // The description of a reply without a body has no content.
  content: z.record(z.string(), z.looseObject({ schema: z.record(z.string(), z.unknown()) })).default({}),
});
const Operation = z.looseObject({ responses: z.record(z.string(), Response) });
const Document = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), Operation)) });

type Described = {
  base: 'command' | 'query';
  name: string;
  method: string;
  path: RegExp;
  responses: z.infer<typeof Operation>['responses'];
  answered: Set<string>;
};

/** Headers that are described but sent only where they apply. */
const NOT_ALWAYS_SENT = ['Idempotent-Replayed', 'Retry-After'];

export async function openReference(api: Api): Promise<Reference> {
  const operations = [...(await describedBy(api, 'command')), ...(await describedBy(api, 'query'))];
  const deviations: string[] = [];
  const validate = validator();

  const check = (base: 'command' | 'query', request: RawRequest, reply: Reply) => {
    const method = request.method ?? 'GET';
    const [path = ''] = request.path.split('?', 1);
    const operation = operations.find(
      (described) => described.base === base && described.method === method && described.path.test(path),
    );
    if (!operation) return;
    const kind = `${Math.trunc(reply.status / 100)}XX`;
    operation.answered.add(kind.toLowerCase());
    const deviates = (description: string) => {
      deviations.push(`${operation.name} ${reply.status}: ${description}: ${reply.text.slice(0, 300)}`);
    };
    const response = operation.responses[reply.status] ?? operation.responses[kind];
    if (!response) return deviates('a status that is not described');
    for (const name of Object.keys(response.headers)) {
      if (NOT_ALWAYS_SENT.includes(name) && reply.status !== 429 && reply.status !== 503) continue;
      if (reply.headers[name.toLowerCase()] === undefined) deviates(`without ${name}`);
    }
    if (Object.keys(response.content).length === 0) {
      if (reply.text !== '') deviates('a body, where none is described');
      return;
    }
    const [type = ''] = (reply.headers['content-type'] ?? '').split(';', 1);
    const schema = response.content[type]?.schema;
    if (!schema) return deviates(`a body of type ${type}, which is not described`);
    for (const value of valuesIn(type, reply.text)) {
      const error = validate(schema, value);
      if (error !== null) return deviates(error);
    }
  };

  return {
    operations: operations.map(({ name }) => name),
    answered: (name) =>
      operations.flatMap((described) => (described.name === name ? [...described.answered].sort() : [])),
    check,
    deviations,
  };
}

async function describedBy(api: Api, base: 'command' | 'query'): Promise<Described[]> {
  const { text } = await api.raw(base, { path: '/openapi.json' });
  const { paths } = Document.parse(JSON.parse(text));
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([verb, { responses }]) => ({
      base,
      name: `${verb.toUpperCase()} ${path}`,
      method: verb.toUpperCase(),
      path: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{[^}]+\}/g, '[^/]+')}$`),
      responses,
      answered: new Set<string>(),
    })),
  );
}

function valuesIn(type: string, text: string): unknown[] {
  if (type.endsWith('json') && type !== 'application/x-ndjson') return [JSON.parse(text)];
  if (type !== 'application/x-ndjson') return [text];
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

/** Returns a function that validates a value: its errors, or null. Each schema is compiled once. */
function validator(): (schema: object, value: unknown) => string | null {
  // In strict mode a misspelt keyword in a schema is an error. `example` is a keyword of OpenAPI.
  const ajv = new Ajv2020({ strict: true, strictTuples: false, allErrors: true, keywords: ['example'] });
  formats.default(ajv);
  const compiled = new Map<object, ValidateFunction>();
  return (schema, value) => {
    let validate = compiled.get(schema);
    if (!validate) compiled.set(schema, (validate = ajv.compile(schema)));
    return validate(value) ? null : ajv.errorsText(validate.errors);
  };
}
