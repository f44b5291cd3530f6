import type { InstallationStatus } from '../installation.ts';

/** What a person reads when BrokerX is ready: where things are, how to sign in, what to try next. */
export function banner(status: InstallationStatus, traders: boolean): string {
  const { commandUrl, queryUrl, commandUrls, queryUrls, inboxUrl } = status;
  const { mode, operatorEmail, operatorPassword, dataDir } = status;
  return `
BrokerX is ready. No real money; open to this machine only.

  Commands    ${commandUrl}      try them at ${commandUrl}/docs
${also(commandUrls)}  Queries     ${queryUrl}      try them at ${queryUrl}/docs
${also(queryUrls)}${inboxUrl === null ? '' : `  Dev inbox   ${inboxUrl}      the mail that BrokerX sends: passcodes\n`}  Operator    ${operatorEmail}  ${operatorPassword}
  Market      ${traders ? 'simulated traders keep it moving' : 'empty: started without the simulated traders'}
  Mode        ${mode}: ${MEANING[mode]}
  Data        ${dataDir}

  Try next    curl ${queryUrl}/v1/symbols
              curl ${commandUrl}/readyz
  Stop        Ctrl-C; everything is kept

`;
}

const MEANING = {
  development: 'passcodes are in the log; for trying things on one machine',
  production: 'no inbox, no passcodes in the log, nobody simulated',
};

/** A line for each beside the first one. */
const also = ([, ...urls]: readonly string[]): string => urls.map((url) => `  and         ${url}\n`).join('');
