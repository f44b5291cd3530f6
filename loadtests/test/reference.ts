import type { Api, RawRequest, Reply } from '@brokerx/client';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { z } from 'zod';

/**
 * What the two APIs say of themselves in `/openapi.json`, held against what they answer: statuses, media types,
 * headers, and bodies by their JSON Schema (2020-12, as OpenAPI 3.1 has it).
 */
export type Reference = {
  /** `GET /v1/orders/{id}` and so on. */
  operations: string[];
  /** Classes of the statuses that each operation was seen to answer with: `2xx`, `4xx`, `5xx`. */
  answered(operation: string): string[];
  /** Looks at an exchange; requests that lead to no operation are none of the reference's business. */
  check(base: 'command' | 'query', request: RawRequest, reply: Reply): void;
  /** What was answered otherwise than the reference says. */
  readonly deviations: string[];
};

const Response = z.looseObject({
  headers: z.record(z.string(), z.unknown()).default({}),
  // A reply without a body has none.
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

/** Sent where there is something to tell only. */
const NOT_ALWAYS_SENT = ['Idempotent-Replayed', 'Retry-After'];

export async function openReference(api: Api): Promise<Reference> {
  const operations = [...(await describedBy(api, 'command')), ...(await describedBy(api, 'query'))];
  const deviations: string[] = [];
  const validates = validators();

  const check = (base: 'command' | 'query', request: RawRequest, reply: Reply) => {
    const method = request.method ?? 'GET';
    const [path = ''] = request.path.split('?', 1);
    const found = operations.find(
      (known) => known.base === base && known.method === method && known.path.test(path),
    );
    if (!found) return;
    const kind = `${Math.trunc(reply.status / 100)}XX`;
    found.answered.add(kind.toLowerCase());
    const deviates = (how: string) => {
      deviations.push(`${found.name} ${reply.status}: ${how}: ${reply.text.slice(0, 300)}`);
    };
    const response = found.responses[reply.status] ?? found.responses[kind];
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
      const wrong = validates(schema, value);
      if (wrong !== null) return deviates(wrong);
    }
  };

  return {
    operations: operations.map(({ name }) => name),
    answered: (name) =>
      operations.flatMap((known) => (known.name === name ? [...known.answered].sort() : [])),
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

/** Gives what is wrong with a value, or null. Each schema is compiled once. */
function validators(): (schema: object, value: unknown) => string | null {
  // Strict: a misspelt keyword in a schema is an error. `example` is OpenAPI's own.
  const ajv = new Ajv2020({ strict: true, strictTuples: false, allErrors: true, keywords: ['example'] });
  formats.default(ajv);
  const compiled = new Map<object, ValidateFunction>();
  return (schema, value) => {
    let validate = compiled.get(schema);
    if (!validate) compiled.set(schema, (validate = ajv.compile(schema)));
    return validate(value) ? null : ajv.errorsText(validate.errors);
  };
}
