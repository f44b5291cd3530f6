import { z } from 'zod';
import { Role } from '../events/client.ts';

/** The replies of command-api to people who register and sign in. */
export const RegistrationView = z.object({
  registration_id: z.string(),
  status: z.enum(['pending_verification', 'verified']),
  client_id: z.string().optional(),
  account_id: z.string().optional(),
});
export const SessionView = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int().describe('seconds'),
  client_id: z.string(),
  account_id: z.string(),
  roles: z.array(Role),
});
