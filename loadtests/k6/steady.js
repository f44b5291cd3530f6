import { byRate, mixed } from './brokerx.js';

/** Orders of many users at an even rate, about half of them trading. */
export const options = byRate({ rate: 1_000 });
export default mixed({ place: 1 });
