import helmet from '@fastify/helmet';
import swagger from '@fastify/swagger';
import { type FastifyInstance, fastify } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { Http } from './instance.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Headers of successful replies, by name, each with its description. */
    replyHeaders?: Readonly<Record<string, string>>;
  }
}

export type ApiDescription = {
  title: string;
  version: string;
  description?: string;
  /** Groups of routes with their descriptions, in the order in which the page shows them. */
  tags?: readonly { name: string; description: string }[];
};

/** The path of the page with the API's reference. */
export const DOCS_PATH = '/docs';

/** Serves OpenAPI 3.1 at `/openapi.json`, made from the routes. `serveDocsPage` adds the page, which loads nothing from elsewhere. */
export async function serveDocs(
  app: Http,
  { title, version, description, tags }: ApiDescription,
): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title,
        version,
        ...(description ? { description } : {}),
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: tags?.map((tag) => ({ ...tag })) ?? [],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    },
    transform: describeRoute,
    transformObject: jsonSchemaTransformObject,
  });
  await app.register(helmet, { global: false });
}

/** Describes a route by its schemas, adds its replies' headers, and spells header names as people do. */
const describeRoute: typeof jsonSchemaTransform = (given) => {
  const described = jsonSchemaTransform(given);
  const schema = described.schema as RouteSchema | undefined;
  if (schema?.headers) {
    const { properties, required = [] } = schema.headers;
    const spelled = Object.entries(properties).map(([name, property]) => [spelling(name), property]);
    schema.headers = {
      ...schema.headers,
      properties: Object.fromEntries(spelled) as typeof properties,
      required: required.map(spelling),
    };
  }
  const { config } = given.route;
  for (const [status, response] of Object.entries(schema?.response ?? {})) {
    response.description ??= SUCCESSES[status];
    const headers = status.startsWith('2') ? config?.replyHeaders : PROBLEM_HEADERS;
    if (headers) response.headers = mapValues(headers, (description) => ({ type: 'string', description }));
  }
  return described;
};

type RouteSchema = {
  headers?: { properties: Record<string, object>; required?: string[] };
  response?: Record<string, { description?: string | undefined; headers?: Record<string, object> }>;
};

const SUCCESSES: Readonly<Record<string, string>> = {
  200: 'What was asked for.',
  201: 'Made.',
  202: 'Recorded; what follows from it comes a moment later.',
};

const PROBLEM_HEADERS = {
  'Retry-After': 'With 429 and 503: seconds after which the same request is worth repeating.',
};

/** The spellings of request headers, which the framework has in lower case only. */
const SPELLINGS = ['Idempotency-Key', 'Last-Event-ID', 'X-BrokerX-Position'];
const spelling = (name: string) => SPELLINGS.find((spelled) => spelled.toLowerCase() === name) ?? name;

const mapValues = <V, W>(record: Readonly<Record<string, V>>, to: (value: V) => W): Record<string, W> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, to(value)]));

/** The page styles itself and reads its settings from an inline script; it may talk to both APIs of this machine. */
export const docsHelmet = {
  contentSecurityPolicy: {
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'", "'unsafe-inline'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", 'data:'],
      fontSrc: ["'self'", 'data:'],
      connectSrc: ["'self'"],
      upgradeInsecureRequests: null,
    },
  },
  strictTransportSecurity: false,
} as const;

/** Adds the description and the page; to be called after all other routes. */
export function serveDocsPage(app: Http, title: string): void {
  app.get(
    '/openapi.json',
    { config: { auth: 'public' }, schema: { hide: true } },
    // The server is the address that the reader used: the page's policy allows no other.
    ({ protocol, host }) => ({ ...app.swagger(), servers: [{ url: `${protocol}://${host}` }] }),
  );
  app.get('/', { config: { auth: 'public' }, schema: { hide: true } }, (_request, reply) =>
    // As seen from the page: behind a gateway it lies under a path of its own.
    reply.redirect(`.${DOCS_PATH}`),
  );
  let page: Promise<FastifyInstance> | null = null;
  for (const path of [DOCS_PATH, `${DOCS_PATH}/*`]) {
    app.get(path, { schema: { hide: true } }, async ({ raw }, reply) => {
      page ??= docsPage(title);
      const { statusCode, headers, rawPayload } = await (await page).inject({ url: raw.url ?? DOCS_PATH });
      return reply.code(statusCode).headers(headers).send(rawPayload);
    });
  }
}

/**
 * The page, made at the first request because its script alone has 5 MB. It is an instance of its own, because one that
 * listens accepts no more routes.
 */
async function docsPage(title: string): Promise<FastifyInstance> {
  const { default: scalar } = await import('@scalar/fastify-api-reference');
  const page = fastify();
  await page.register(scalar, {
    routePrefix: DOCS_PATH,
    configuration: {
      // Seen from the page: behind a gateway both lie under a path of their own.
      url: '../openapi.json',
      pageTitle: title,
      telemetry: false,
      withDefaultFonts: false,
      hideClientButton: true,
      // Each of these would send the reader's input to others.
      showDeveloperTools: 'never',
      agent: { disabled: true },
      mcp: { disabled: true },
      authentication: { preferredSecurityScheme: 'bearer' },
      // A reload keeps the token.
      persistAuth: true,
    },
  });
  await page.ready();
  return page;
}
