import { type DestinationStream, type Logger, pino } from 'pino';

/**
 * Structured logs: one JSON object a line on standard output, so that no client input can forge a line. Personal fields and
 * secrets are replaced wherever a logged object carries them, down to two levels.
 */
export type Log = Logger;

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LogOptions = {
  /** The service's name, in every line as `service`. */
  name: string;
  level: LogLevel;
  /** Which of several processes of one service, in every line as `instance`. */
  instance?: string;
  /** Standard output when absent. */
  destination?: DestinationStream;
};

export function createLog({ name, level, instance, destination }: LogOptions): Log {
  return pino(
    {
      level,
      base: instance === undefined ? { service: name } : { service: name, instance },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactedPaths, censor: '[redacted]' },
    },
    // Synchronous: the lines just before a crash matter most.
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}

/** Fields with these names are never logged: neither at the top nor one or two levels down. */
export const REDACTED_FIELDS = [
  'password',
  'new_password',
  'current_password',
  'newPassword',
  'currentPassword',
  'passcode',
  'token',
  'access_token',
  'refresh_token',
  'accessToken',
  'refreshToken',
  'authorization',
  'cookie',
  'set-cookie',
  'email',
  'phone',
  'address',
  'birth_date',
  'birthDate',
] as const;

/** Fields redacted at the top and in client data. In any other object `name` and `code` say which kind of error it is. */
export const REDACTED_OUTSIDE_ERRORS = ['name', 'code'] as const;
/** Objects that hold client input. */
const CLIENT_DATA = ['body', 'client', 'registration', 'command', 'payload'] as const;

const redactedPaths = [
  ...REDACTED_FIELDS.flatMap((field) =>
    field.includes('-')
      ? [`["${field}"]`, `*["${field}"]`, `*.*["${field}"]`]
      : [field, `*.${field}`, `*.*.${field}`],
  ),
  ...REDACTED_OUTSIDE_ERRORS.flatMap((field) => [
    field,
    ...CLIENT_DATA.flatMap((holder) => [`${holder}.${field}`, `*.${holder}.${field}`]),
  ]),
];
