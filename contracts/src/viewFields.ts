import { z } from 'zod';

/** Fields of views, as they go over the wire. */
export const money = z.string().meta({ examples: ['150.25'] });
export const quantity = z.string().meta({ examples: ['10'] });
export const time = z.string().meta({ format: 'date-time' });
