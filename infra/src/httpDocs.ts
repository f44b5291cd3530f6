import helmet from '@fastify/helmet';
import swagger from '@fastify/swagger';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { Http } from './http.ts';

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
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  await app.register(helmet, { global: false });
}

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

/** The last route to be added: the page's script alone is 5 MB, so it is loaded only by processes with an API. */
export async function serveDocsPage(app: Http, title: string): Promise<void> {
  const { default: scalar } = await import('@scalar/fastify-api-reference');
  app.get('/openapi.json', { config: { auth: 'public' }, schema: { hide: true } }, () => app.swagger());
  await app.register(scalar, {
    routePrefix: DOCS_PATH,
    configuration: {
      url: '/openapi.json',
      pageTitle: title,
      telemetry: false,
      withDefaultFonts: false,
      hideClientButton: true,
    },
  });
}
