import { byRate, mixed } from './brokerx.js';

/** Orders that rest, and as many cancels of them. */
export const options = byRate({ rate: 1_000 });
export default mixed({ place: 1, cancel: 1 }, { restsOnly: true });
