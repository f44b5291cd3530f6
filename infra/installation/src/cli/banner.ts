import type { InstallationStatus } from '../supervise/installation.ts';

/** The text for a person when BrokerX is ready: where things are, how to sign in, what to try next. */
export function banner(status: InstallationStatus, { traders, passphraseAt }: BannerOptions): string {
  const { commandUrl, queryUrl, commandUrls, queryUrls, inboxUrl } = status;
  const { mode, operatorEmail, operatorPassword, dataDir } = status;
  const inbox =
    inboxUrl === null ? '' : `  Dev inbox   ${inboxUrl}      the mail that BrokerX sends: passcodes\n`;
  const signIn = passphraseAt === null ? operatorPassword : `passphrase: see ${passphraseAt}`;
  return `
BrokerX is ready. No real money; open to this machine only.

  Commands    ${commandUrl}      try them at ${commandUrl}/docs
${furtherUrls(commandUrls)}  Queries     ${queryUrl}      try them at ${queryUrl}/docs
${furtherUrls(queryUrls)}${inbox}  Operator    ${operatorEmail}  ${signIn}
  Market      ${traders ? 'simulated traders keep it moving' : 'empty: started without the simulated traders'}
  Mode        ${mode}: ${MEANING[mode]}
  Data        ${dataDir}

  Try next    curl ${queryUrl}/v1/symbols
              curl ${commandUrl}/readyz
  Stop        Ctrl-C; everything is kept

`;
}

type BannerOptions = {
  traders: boolean;
  /** Where the operator's passphrase is; null: the banner shows it. */
  passphraseAt: string | null;
};

/** The same as fields for a log, without secrets. */
export function readyFields(status: InstallationStatus, traders: boolean, passphraseAt: string): object {
  const { commandUrls, queryUrls, inboxUrl, mode, operatorEmail, dataDir } = status;
  return { commandUrls, queryUrls, inboxUrl, mode, traders, operatorEmail, passphraseAt, dataDir };
}

const MEANING = {
  development: 'passcodes are in the log; for trying things on one machine',
  production: 'no inbox, no passcodes in the log, nobody simulated',
};

/** A line for each address after the first one. */
const furtherUrls = ([, ...urls]: readonly string[]): string =>
  urls.map((url) => `  and         ${url}\n`).join('');
