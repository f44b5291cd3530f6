import { byRate, mixed } from './brokerx.js';

/** Every order for the first symbol. */
export const options = byRate({ rate: 800 });
export default mixed({ place: 9, depth: 1 }, { hotSymbolShare: 1 });
