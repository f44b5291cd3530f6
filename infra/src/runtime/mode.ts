/**
 * What an installation is for (`BROKERX_MODE`). Development has an inbox that shows everybody's mail, passcodes in the log,
 * and simulated people with published passwords. Production, the default, has none of these.
 */
export const MODES = ['development', 'production'] as const;
export type Mode = (typeof MODES)[number];

/** Why production does not start without a mail server: nobody could receive the passcode that signing in needs. */
export const MAIL_NEEDED = 'is not set, and production sends passcodes by mail';
