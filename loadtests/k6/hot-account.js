import { byRate, mixed } from './brokerx.js';

/** One account that sends half of all orders. */
export const options = byRate({ rate: 800 });
export default mixed({ place: 1 }, { hotUserShare: 0.5 });
