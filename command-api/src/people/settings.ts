import { Email } from '@brokerx/contracts';
import { ESCAPES, portVariable, sharedVariables } from '@brokerx/infra/runtime/config.ts';
import { MAIL_NEEDED, type Mode } from '@brokerx/infra/runtime/mode.ts';
import { parseMasterKey } from '@brokerx/infra/vault/sealing.ts';
import type { JWK } from 'jose';
import { z } from 'zod';
import type { DeadlineSettings } from './registration/deadlineWork.ts';
import type { MailLimitSettings } from './registration/mailLimits.ts';
import type { SignInLimits } from './signIn/failedSignIns.ts';

const wholeVariable = (min: number, max: number) =>
  z.coerce
    .number({ error: `must be a whole number from ${min} to ${max}` })
    .int()
    .min(min)
    .max(max);
const COUNT_MAX = 1_000_000;
const DAY_SECONDS = 86_400;

/** The variables of clients, keys, mail and payments, as a part of the service's configuration. Secrets have no default. */
export const peopleVariables = {
  BROKERX_MASTER_KEY: z
    .string()
    .transform(
      (text, context) => parseMasterKey(text) ?? refuse(context, 'must be base64 of 32 random bytes'),
    )
    .describe('Wraps the keys of all personal data: base64 of 32 random bytes (openssl rand -base64 32).'),
  AUTH_PRIVATE_JWK: z
    .string()
    .transform(
      (text, context) => parseJwk(text) ?? refuse(context, 'must be a private EC P-256 key as a JWK'),
    )
    .describe('Signs access tokens (ES256): a private JWK as JSON, with kty, crv, x, y and d.'),
  AUTH_ISSUER: z
    .string()
    .regex(/^\S+$/, 'must be an address or a word, without spaces')
    .optional()
    .describe(
      'The `iss` of access tokens, the same for every service that verifies them; not set: where this command-api listens.',
    ),
  VAULT_URL: sharedVariables.DATABASE_URL.optional().describe(
    'PostgreSQL database of the key vault, with backups of its own; DATABASE_URL when not set.',
  ),
  SMTP_URL: z
    .string()
    .regex(/^smtps?:\/\//, { message: 'must begin with smtp:// or smtps://', abort: true })
    .refine(
      (text) => Boolean(URL.parse(text)?.hostname),
      `must be an address such as smtps://user:password@host, ${ESCAPES}`,
    )
    .optional()
    .describe(
      'The mail server, such as smtps://user:password@mail.example.com. Production needs one; in development mail goes to /dev/inbox where it is not set.',
    ),
  DEV_INBOX_SMTP_PORT: portVariable(
    'Port of the mail server of /dev/inbox, on the loopback address, where SMTP_URL is not set; 0: any free one.',
  ).default(0),
  DEV_INBOX_URL: z
    .url()
    .optional()
    .describe(
      'The command-api whose /dev/inbox this one shows, where SMTP_URL leads to that one’s mail server.',
    ),
  MAIL_FROM: z
    .string()
    .regex(
      /^(?:[^<>\r\n]*<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)$/,
      'must be an address such as no-reply@example.com, or BrokerX <no-reply@example.com>',
    )
    .default('BrokerX <no-reply@brokerx.test>')
    .describe('Sender of all mail.'),
  OPERATOR_EMAIL: Email.optional().describe('E-mail address of the first operator, made at the start.'),
  OPERATOR_PASSWORD: z
    .string()
    .min(12)
    .max(256)
    .optional()
    .describe('Password of the first operator, 12 to 256 characters.'),
  PUBLIC_REQUESTS_PER_MINUTE_MAX: wholeVariable(1, COUNT_MAX)
    .default(3_000)
    .describe(
      'Registrations, verifications, passcodes and sign-ins that one address may ask for in a minute, all together.',
    ),
  SIGN_IN_FAILURES_PER_ADDRESS_MAX: wholeVariable(1, COUNT_MAX)
    .default(5)
    .describe('Failed sign-ins from one address within its time; beyond them strangers there wait.'),
  SIGN_IN_FAILURES_PER_ADDRESS_SECONDS: wholeVariable(1, DAY_SECONDS)
    .default(600)
    .describe('The time in which failed sign-ins from one address are counted, in seconds.'),
  SIGN_IN_FAILURES_PER_ACCOUNT_MAX: wholeVariable(1, COUNT_MAX)
    .default(20)
    .describe('Failed sign-ins to one account, from anywhere, within its time; beyond them strangers wait.'),
  SIGN_IN_FAILURES_PER_ACCOUNT_SECONDS: wholeVariable(1, DAY_SECONDS)
    .default(3_600)
    .describe('The time in which failed sign-ins to one account are counted, in seconds.'),
  PASSCODE_MAILS_PER_MAILBOX_PER_HOUR_MAX: wholeVariable(1, COUNT_MAX)
    .default(6)
    .describe('Passcodes mailed to one mailbox in an hour, its sub-addresses (ann+x@…) included.'),
  PASSCODE_MAILS_PER_ADDRESS_PER_HOUR_MAX: wholeVariable(1, COUNT_MAX)
    .default(500)
    .describe('Passcodes that one address may have mailed in an hour, to whomever.'),
  PASSCODE_MAILS_PER_HOUR_MAX: wholeVariable(1, COUNT_MAX)
    .default(20_000)
    .describe('Passcodes mailed in an hour, in all.'),
  REGISTRATION_OPEN_SECONDS: wholeVariable(60, 30 * DAY_SECONDS)
    .default(DAY_SECONDS)
    .describe(
      'How long a registration waits to be confirmed, in seconds; then it is deleted, with the key of its personal data.',
    ),
  REGISTRATION_REMINDER_SECONDS: wholeVariable(0, 30 * DAY_SECONDS)
    .default(3_600)
    .describe('How long before that whoever registered is reminded by mail, in seconds; 0: not at all.'),
  REGISTRATION_DEADLINES_PER_SECOND_MAX: wholeVariable(1, 1_000)
    .default(10)
    .describe('Registrations that are reminded of, and that are deleted, in a second.'),
  PAYMENTS_DELAY_MS: wholeVariable(0, 60_000)
    .default(50)
    .describe('How long the simulated payment service thinks about a deposit, in milliseconds.'),
} as const;

export type PeopleSettings = z.output<z.ZodObject<typeof peopleVariables>>;

export const signInLimits = (settings: PeopleSettings): SignInLimits => ({
  perNetworkMax: settings.SIGN_IN_FAILURES_PER_ADDRESS_MAX,
  networkWindowMs: settings.SIGN_IN_FAILURES_PER_ADDRESS_SECONDS * 1_000,
  perAccountMax: settings.SIGN_IN_FAILURES_PER_ACCOUNT_MAX,
  accountWindowMs: settings.SIGN_IN_FAILURES_PER_ACCOUNT_SECONDS * 1_000,
});

export const mailLimitSettings = (settings: PeopleSettings): MailLimitSettings => ({
  perMailboxMax: settings.PASSCODE_MAILS_PER_MAILBOX_PER_HOUR_MAX,
  perNetworkMax: settings.PASSCODE_MAILS_PER_ADDRESS_PER_HOUR_MAX,
  inAllMax: settings.PASSCODE_MAILS_PER_HOUR_MAX,
});

export const deadlineSettings = (settings: PeopleSettings): DeadlineSettings => ({
  remindBeforeMs: settings.REGISTRATION_REMINDER_SECONDS * 1_000,
  perSecondMax: settings.REGISTRATION_DEADLINES_PER_SECOND_MAX,
});

export const registrationOpenMs = (settings: PeopleSettings): number =>
  settings.REGISTRATION_OPEN_SECONDS * 1_000;

/** Refuses a reminder that would be due before the registration. */
export function checkReminder(
  variables: { REGISTRATION_OPEN_SECONDS: number; REGISTRATION_REMINDER_SECONDS: number },
  context: z.RefinementCtx,
): void {
  const { REGISTRATION_OPEN_SECONDS: openSeconds, REGISTRATION_REMINDER_SECONDS: reminderSeconds } =
    variables;
  if (reminderSeconds < openSeconds) return;
  context.addIssue({
    code: 'custom',
    path: ['REGISTRATION_REMINDER_SECONDS'],
    message: `must be less than REGISTRATION_OPEN_SECONDS, which is ${openSeconds}; 0: nobody is reminded`,
  });
}

function parseJwk(text: string): JWK | undefined {
  try {
    const jwk = JSON.parse(text) as JWK;
    const complete = [jwk.x, jwk.y, jwk.d].every((part) => typeof part === 'string');
    return jwk.kty === 'EC' && jwk.crv === 'P-256' && complete ? jwk : undefined;
  } catch {
    return undefined;
  }
}

function refuse(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}

/** Refuses an operator with an address alone or a password alone, who could not sign in. */
export function checkOperator(
  variables: { OPERATOR_EMAIL?: string | undefined; OPERATOR_PASSWORD?: string | undefined },
  context: z.RefinementCtx,
): void {
  const [set, missing] =
    variables.OPERATOR_EMAIL === undefined
      ? (['OPERATOR_PASSWORD', 'OPERATOR_EMAIL'] as const)
      : (['OPERATOR_EMAIL', 'OPERATOR_PASSWORD'] as const);
  if (variables[set] === undefined || variables[missing] !== undefined) return;
  context.addIssue({
    code: 'custom',
    path: [set],
    message: `is set without ${missing}: set both or neither`,
  });
}

/** Refuses production without a mail server, where nobody would get a passcode, and production that shows an inbox. */
export function checkMail(
  variables: { BROKERX_MODE: Mode; SMTP_URL?: string | undefined; DEV_INBOX_URL?: string | undefined },
  context: z.RefinementCtx,
): void {
  if (variables.BROKERX_MODE !== 'production') return;
  if (variables.SMTP_URL === undefined) {
    context.addIssue({ code: 'custom', path: ['SMTP_URL'], message: MAIL_NEEDED });
  }
  if (variables.DEV_INBOX_URL !== undefined) {
    context.addIssue({
      code: 'custom',
      path: ['DEV_INBOX_URL'],
      message: 'is set, and production shows no inbox: unset it, or set BROKERX_MODE=development',
    });
  }
}
