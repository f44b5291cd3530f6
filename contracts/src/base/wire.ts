import { z } from 'zod';

/** Fields that all views share. Money and quantities are decimal strings, times are RFC 3339 UTC. */
export const money = z.string().meta({ examples: ['150.25'] });
export const quantity = z.string().meta({ examples: ['10'] });
export const time = z.string().meta({ format: 'date-time' });
export const level = z.tuple([money, quantity]).describe('price, quantity');
