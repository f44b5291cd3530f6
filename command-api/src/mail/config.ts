import { loadConfig, portVariable, sharedVariables } from '@brokerx/infra';
import { z } from 'zod';

/** The environment of the development inbox as a process of its own. */
const Variables = z.object({
  LOG_LEVEL: sharedVariables.LOG_LEVEL,
  HOST: sharedVariables.HOST,
  BROKERX_MODE: z
    .literal('development', 'must be development')
    .describe('Set BROKERX_MODE=development: whoever reaches the inbox reads everybody’s passcodes.'),
  INBOX_SMTP_PORT: portVariable('Port that takes mail (SMTP); 0: any free one.').default(2525),
  INBOX_PORT: portVariable('Port of /dev/inbox; 0: any free one.').default(8025),
});

export const inboxConfig = (env?: NodeJS.ProcessEnv) => loadConfig(Variables, env);
