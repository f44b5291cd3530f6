import { type DestinationStream, type Logger, pino } from 'pino';

/**
 * Structured logs: one JSON object a line on standard output, so that nothing a client sends can forge a line.
 * Personal fields and secrets are replaced wherever a logged object carries them, down to two levels.
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
      messageKey: 'msg',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactedPaths, censor: '[redacted]' },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}

/** A field of such a name never reaches a log, in any object logged. */
export const REDACTED_FIELDS = [
  'password',
  'new_password',
  'current_password',
  'newPassword',
  'currentPassword',
  'passcode',
  'code',
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
  'name',
  'address',
  'birth_date',
  'birthDate',
] as const;

// `name` and `code` at the top of an error are its kind ('Error', 'ECONNREFUSED') and are kept there.
const KEPT_IN_ERRORS = ['name', 'code'] as const;

const redactedPaths = REDACTED_FIELDS.flatMap((field) => {
  const step = field.includes('-') ? `["${field}"]` : `.${field}`;
  const top = field.includes('-') ? `["${field}"]` : field;
  const nested = KEPT_IN_ERRORS.includes(field as (typeof KEPT_IN_ERRORS)[number])
    ? ['body', 'client', 'registration', 'payload'].map((parent) => `${parent}${step}`)
    : [`*${step}`, `*.*${step}`];
  return [top, ...nested];
});
