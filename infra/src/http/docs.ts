import helmet from '@fastify/helmet';
import swagger from '@fastify/swagger';
import { type FastifyInstance, fastify } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { Http } from './instance.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Headers of the replies that say yes, as they are spelled, each with what it tells. */
    replyHeaders?: Readonly<Record<string, string>>;
  }
}

export type ApiDescription = {
  title: string;
  version: string;
  description?: string;
  /** Names of groups of routes with what they are for, in the order to show. */
  tags?: readonly { name: string; description: string }[];
};

/** Where the page of the API's reference is. */
export const DOCS_PATH = '/docs';

/** OpenAPI 3.1 at `/openapi.json`, made from the routes, and a page to read and try it; nothing is loaded from afar. */
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

/** The route as its schemas say, with the headers of its replies, and header names as people spell them. */
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

/** Headers of requests; the framework knows them in small letters alone. */
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

/** The description itself, and the page. The last routes to be added. */
export function serveDocsPage(app: Http, title: string): void {
  app.get(
    '/openapi.json',
    { config: { auth: 'public' }, schema: { hide: true } },
    // Under the address that the reader used: another one would not be let in by the page's policy.
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
 * The page's script alone is 5 MB: it is loaded when somebody first asks for it, by an instance of its own, since one that
 * listens takes no more routes.
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
      // All of these would send what the reader types to others.
      showDeveloperTools: 'never',
      agent: { disabled: true },
      mcp: { disabled: true },
      authentication: { preferredSecurityScheme: 'bearer' },
      // A reload does not sign out.
      persistAuth: true,
    },
  });
  await page.ready();
  return page;
}
