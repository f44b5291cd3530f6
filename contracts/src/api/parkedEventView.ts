import { z } from 'zod';
import { time } from '../base/wire.ts';

/** An event that a projection could not fold, so that its tables lack it. Each one is a defect to investigate. */
export const ParkedEventView = z.object({
  projection: z.string().describe('The projection whose tables are without it.'),
  version: z.int(),
  position: z.int().describe('Place in the whole event store.'),
  event_id: z.string(),
  error: z.string().describe('Why it could not be folded.'),
  at: time,
});
export type ParkedEventView = z.infer<typeof ParkedEventView>;
