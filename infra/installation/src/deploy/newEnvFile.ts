import { randomBytes } from 'node:crypto';
import { newSecrets } from '../supervise/secrets.ts';

/** The text of a new `.env` for a deployment, with new secrets and every setting that people change. */
export type EnvFileOptions = {
  /** The servers that run beside PostgreSQL. */
  servers: readonly ('kurrentdb' | 'kafka' | 'redis')[];
  /** With an inbox that anybody may read and simulated traders. */
  demo: boolean;
  /** The first three numbers of the services' network. */
  network: string;
};

export function newEnvFile({ servers, demo, network }: EnvFileOptions): string {
  const redisPassword = password();
  const addressOf = (server: EnvFileOptions['servers'][number], address: string) =>
    servers.includes(server) ? address : '';
  const profiles = [...servers, ...(demo ? ['inbox', 'traders'] : [])];
  return `# Settings and secrets of this deployment. Keep a copy of it where your backups are not: without BROKERX_MASTER_KEY no
# personal data can be read any more. Every variable is explained in .env.example and infra/compose.yaml.

${modeLines(demo)}

# --- What runs ----------------------------------------------------------------------------------------------------

# Servers beside PostgreSQL, and their addresses. To use servers of your own: take theirs out of the list, and set the
# address. To do without one: take it out, and empty the address.
COMPOSE_PROFILES=${profiles.join(',')}
EVENTSTORE_URL=${addressOf('kurrentdb', 'esdb://kurrentdb:2113?tls=false')}
KAFKA_BROKERS=${addressOf('kafka', 'kafka:9092')}
REDIS_URL=${addressOf('redis', `redis://:${redisPassword}@redis:6379`)}
# The first three numbers of the network of the services; another one where it collides.
BROKERX_NETWORK=${network}

# --- Who may come in ----------------------------------------------------------------------------------------------

# Address and port of this machine where the gateway answers. Before it is open to others: TLS (docs/deployment.md).
GATEWAY_PUBLISH=127.0.0.1:8080
# A folder with fullchain.pem and key.pem, and where they are in it as the gateway sees it.
#GATEWAY_TLS_FOLDER=/etc/brokerx/tls
#GATEWAY_TLS_CERTIFICATE=/tls/fullchain.pem
#GATEWAY_TLS_KEY=/tls/key.pem
# Origins of pages that may call; balancers in front.
GATEWAY_CORS_ORIGINS=
GATEWAY_TRUSTED_PROXIES=
# ${demo ? 'Everybody can read the mail: for demonstrations only.' : 'Not set: mail is not shown.'}
GATEWAY_INBOX=${demo ? `${network}.31:8080` : ''}

# --- Mail -----------------------------------------------------------------------------------------------------------

# ${demo ? 'The inbox of the demonstration.' : 'Your mail server, such as smtps://user:password@mail.example.com: it must be set, people get their passcodes by mail.'}
SMTP_URL=${demo ? 'smtp://inbox:2525' : ''}
MAIL_FROM=${demo ? '' : 'BrokerX <no-reply@brokerx.test>'}

# --- Secrets --------------------------------------------------------------------------------------------------------

REDIS_PASSWORD=${redisPassword}
${secretLines()}

# --- Which image each service runs: set by \`npm run deploy\` and \`npm run rollback\` ---------------------------------

`;
}

/**
 * The lines that a file of an earlier version may lack and that are required. Optional settings are not among them: an absent
 * one has its default by choice. A file whose profiles contain the inbox belongs to a demonstration.
 */
export function missingInEnvFile({ COMPOSE_PROFILES = '' }: Readonly<Record<string, string>>): string {
  return `${modeLines(COMPOSE_PROFILES.split(',').includes('inbox'))}\n\n${secretLines()}\n`;
}

const modeLines = (demo: boolean) =>
  `# development: an inbox shows all mail, passcodes are in the log, simulated traders move the market. production: without all
# of it, and SMTP_URL must be set before anything starts.
BROKERX_MODE=${demo ? 'development' : 'production'}`;

/** Secrets that no other line of the file repeats. */
function secretLines(): string {
  const { BROKERX_MASTER_KEY, AUTH_PRIVATE_JWK, OPERATOR_EMAIL, OPERATOR_PASSWORD } = newSecrets();
  return `BROKERX_MASTER_KEY=${BROKERX_MASTER_KEY}
AUTH_PRIVATE_JWK='${AUTH_PRIVATE_JWK}'
OPERATOR_EMAIL=${OPERATOR_EMAIL}
OPERATOR_PASSWORD=${OPERATOR_PASSWORD}
POSTGRES_PASSWORD=${password()}
VAULT_PASSWORD=${password()}
COMMAND_API_DATABASE_PASSWORD=${password()}
MATCHING_ENGINE_DATABASE_PASSWORD=${password()}
PROJECTORS_DATABASE_PASSWORD=${password()}
QUERY_API_DATABASE_PASSWORD=${password()}`;
}

/** A password of 192 bits, of characters that need no escape in an address. */
const password = () => randomBytes(24).toString('base64url');
