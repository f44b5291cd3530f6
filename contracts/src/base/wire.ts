import { z } from 'zod';

/** Wire forms that views share: money and quantities are decimal strings, times RFC 3339 UTC. */
export const money = z.string().meta({ examples: ['150.25'] });
export const quantity = z.string().meta({ examples: ['10'] });
export const time = z.string().meta({ format: 'date-time' });
export const level = z.tuple([money, quantity]).describe('price, quantity');
