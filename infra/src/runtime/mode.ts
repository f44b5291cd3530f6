/**
 * What an installation is for, `BROKERX_MODE`. Development shows what nobody may see where people's money would be:
 * an inbox with everybody's mail, passcodes in the log, and simulated people with known passwords. Nothing of it exists
 * in production, which is what counts where nobody said anything.
 */
export const MODES = ['development', 'production'] as const;
export type Mode = (typeof MODES)[number];

/** Why production does not start: nobody would get the passcode without which nobody gets in. */
export const MAIL_NEEDED = 'is not set, and production sends passcodes by mail';
