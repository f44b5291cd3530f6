import { StartRefused } from './shutdown.ts';

/**
 * Explains a failed connection to the person who set the server's address: one line with the setting, the cause and the
 * remedy. The clients' own messages differ, may be hidden inside other errors, and may contain the address with its password;
 * of an address this repeats only what `shownServer` returns.
 */
export type ServerSetting = keyof typeof SERVERS;

export type ConnectionFault = {
  kind: FaultKind;
  /** `REDIS_URL: the server's certificate has expired. Renew it on the server.` */
  message: string;
};

export type FaultKind =
  | 'unknown authority'
  | 'wrong name'
  | 'expired'
  | 'plain server'
  | 'tls server'
  | 'credentials'
  | 'no database'
  | 'no such name'
  | 'nobody listens'
  | 'silent'
  | 'closed'
  | 'unknown';

/** Faults that a person has to mend, in a setting or on the server, before any attempt can succeed. */
export const FINAL_FAULTS: ReadonlySet<FaultKind> = new Set([
  'unknown authority',
  'wrong name',
  'expired',
  'plain server',
  'tls server',
  'credentials',
]);

/** `tls`: whether the address demands TLS; `shown`: the server's name without a secret, such as `db.example:5432`. */
export function connectionFault(
  setting: ServerSetting,
  error: unknown,
  address: { tls: boolean; shown?: string },
): ConnectionFault {
  const kind = kindOf(error, address.tls);
  const [cause, remedy] = EXPLAINED[kind](SERVERS[setting], textOf(error), address.tls);
  const at = address.shown ? ` (${address.shown})` : '';
  return { kind, message: `${setting}${at}: ${cause}. ${remedy}.` };
}

/** An address's host and port, to be shown: without user, password and anything else. */
export function shownServer(address: string): string {
  const url = URL.parse(address);
  if (url?.host) return url.host;
  return /^[a-z+]+:\/\/(?:[^@/]*@)?([^/?#]+)/.exec(address)?.[1] ?? '';
}

/** The remedies for each kind of server. */
const SERVERS = {
  DATABASE_URL: {
    withTls: 'end the address with ?sslmode=verify-full',
    withoutTls: 'end the address with ?sslmode=disable',
    authority:
      'set NODE_EXTRA_CA_CERTS to the file of its certificate, or add sslrootcert=FILE to the address',
    credentials: 'Check the user and the password in the address, and what pg_hba.conf allows',
  },
  EVENTSTORE_URL: {
    withTls: 'use tls=true',
    withoutTls: 'use tls=false',
    authority: 'add tlsCAFile=FILE to the address',
    credentials: 'Check the user and the password in the address: it must read $all and write',
  },
  KAFKA_BROKERS: {
    withTls: 'set KAFKA_SSL=true',
    withoutTls: 'set KAFKA_SSL=false',
    authority: 'set NODE_EXTRA_CA_CERTS to the file of its certificate',
    credentials: 'Check KAFKA_SASL_MECHANISM, KAFKA_USERNAME and KAFKA_PASSWORD',
  },
  REDIS_URL: {
    withTls: 'use rediss://',
    withoutTls: 'use redis://',
    authority: 'set NODE_EXTRA_CA_CERTS to the file of its certificate',
    credentials: 'Put the user and the password into the address: redis://user:password@host:6379',
  },
  SMTP_URL: {
    withTls: 'use smtps://',
    withoutTls: 'use smtp://',
    authority: 'set NODE_EXTRA_CA_CERTS to the file of its certificate',
    credentials: 'Check the user and the password in the address',
  },
} as const;
type Words = { withTls: string; withoutTls: string; authority: string; credentials: string };

const EXPLAINED: Readonly<
  Record<FaultKind, (words: Words, text: string, tls: boolean) => readonly [cause: string, remedy: string]>
> = {
  'unknown authority': ({ authority }) => [
    'the certificate of the server comes from an authority that is not known here',
    `If it is one of your own, ${authority}`,
  ],
  'wrong name': (_, text) => [
    `the certificate of the server is for another name${namesIn(text)}`,
    'Write the address with a name that stands in the certificate, or give the server a certificate for this one',
  ],
  expired: () => [
    'the certificate of the server has expired, or is not valid yet',
    'Renew it on the server, and check the clock of this machine',
  ],
  'plain server': ({ withoutTls }) => [
    'the server does not speak TLS',
    `Switch TLS on there, or ${withoutTls}`,
  ],
  'tls server': ({ withTls }) => ['the server takes connections over TLS alone', `Then ${withTls}`],
  credentials: ({ credentials }) => ['the server does not let this user in', credentials],
  'no database': () => [
    'the server has no such database',
    'Make it (createdb NAME), or end the address with the name of one that is there',
  ],
  'no such name': () => ['the name of the server is not known', 'Check how the address is spelt'],
  'nobody listens': () => ['nothing listens at this address', 'Start the server, or check host and port'],
  silent: ({ withTls, withoutTls }, _, tls) => [
    'the server does not answer in time',
    `Check host and port, and whether a firewall is between; ${tls ? `if it does not speak TLS, ${withoutTls}` : `if it speaks TLS alone, ${withTls}`}`,
  ],
  closed: ({ withTls, withoutTls, credentials }, _, tls) => [
    'the server closes the connection without a word',
    tls
      ? `If it does not speak TLS, ${withoutTls}. ${credentials}`
      : `If it speaks TLS, ${withTls}. ${credentials}`,
  ],
  unknown: (_, text) => [text === '' ? 'no connection comes about' : text, 'Check the server and its log'],
};

const BY_CODE: Readonly<Record<string, FaultKind>> = {
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown authority',
  CERT_UNTRUSTED: 'unknown authority',
  ERR_TLS_CERT_ALTNAME_INVALID: 'wrong name',
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'expired',
  ERR_SSL_WRONG_VERSION_NUMBER: 'plain server',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'plain server',
  ETLS: 'plain server',
  EAUTH: 'credentials',
  '28P01': 'credentials',
  '28000': 'credentials',
  '3D000': 'no database',
  ENOTFOUND: 'no such name',
  EDNS: 'no such name',
  ECONNREFUSED: 'nobody listens',
  ETIMEDOUT: 'silent',
  EHOSTUNREACH: 'silent',
};

/** For clients that pass on a text alone; the first that fits counts, so certificates stand before connections. */
const BY_TEXT: readonly (readonly [RegExp, FaultKind])[] = [
  [/altnames|IP address mismatch|hostname mismatch/i, 'wrong name'],
  [/certificate has expired|certificate is not yet valid/i, 'expired'],
  [
    /unable to (verify the first|get (local )?issuer) certificate|self[- ]signed certificate/i,
    'unknown authority',
  ],
  [/wrong version number|packet length too long|does not support SSL|before secure TLS/i, 'plain server'],
  [/no encryption|SSL required/i, 'tls server'],
  [
    /WRONGPASS|NOAUTH|NOPERM|invalid password|ERR AUTH|authentication failed|not authenticated|access denied/i,
    'credentials',
  ],
  [/ENOTFOUND|EAI_AGAIN|name resolution failed/i, 'no such name'],
  [/ECONNREFUSED/, 'nobody listens'],
  [/ETIMEDOUT|timeout|greeting never received|did not reply|no reply within/i, 'silent'],
  [
    /ECONNRESET|EPIPE|closed connection|connection (terminated|ended|closed)|failed to connect|socket close/i,
    'closed',
  ],
];

function kindOf(error: unknown, tls: boolean): FaultKind {
  const chain = chainOf(error);
  for (const each of chain) {
    // What the server says in words tells more than a code that stands for several things (28000, EPROTO).
    const kind = BY_TEXT.find(([text]) => text.test(each.message))?.[1];
    if (kind === 'tls server' || (kind === 'plain server' && tls)) return kind;
  }
  for (const each of chain) {
    const kind = BY_CODE[String((each as { code?: unknown }).code ?? '')];
    if (kind) return kind;
  }
  for (const each of chain) {
    const kind = BY_TEXT.find(([text]) => text.test(`${each.name} ${each.message}`))?.[1];
    if (kind) return kind;
  }
  return 'unknown';
}

/** The error and what caused it, innermost first: the outer ones say that something was tried. */
function chainOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let each = error; each instanceof Error && chain.length < CHAIN_MAX; each = each.cause) {
    chain.unshift(each);
    if (each instanceof AggregateError) {
      chain.unshift(...each.errors.filter((inner): inner is Error => inner instanceof Error));
    }
  }
  return chain;
}

/** Errors that cause each other; more would be a circle. */
const CHAIN_MAX = 10;

/** Its first line, without what looks like an address with a password in it. */
function textOf(error: unknown): string {
  const [innermost] = chainOf(error);
  const text = innermost?.message ?? (typeof error === 'string' ? error : '');
  return (text.split('\n', 1)[0] ?? '').replaceAll(/\/\/[^@\s/]*@/g, '//').trim();
}

/** `: DNS:db.example, IP Address:10.0.0.7`, where the certificate's own names are told. */
const namesIn = (text: string): string => {
  const names = /altnames: ((?:DNS|IP Address):.*)$/.exec(text)?.[1];
  return names ? `: ${names}` : '';
};

/** A necessary connection failed: `message` is for a person, `code` for the code that decides about a repetition. */
export class NoConnection extends StartRefused {
  override name = 'NoConnection';
  readonly kind: FaultKind;
  readonly code: string | undefined;
  constructor(setting: ServerSetting, error: unknown, address: { tls: boolean; shown?: string }) {
    const { kind, message } = connectionFault(setting, error, address);
    super(message, { cause: error });
    this.kind = kind;
    const code = chainOf(error).find((each) => 'code' in each && typeof each.code === 'string') as
      | { code?: string }
      | undefined;
    this.code = code?.code;
    // The fault is not in the code: where it was found helps nobody.
    this.stack = message;
  }
}
