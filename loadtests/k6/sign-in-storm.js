import { byRate, mixed } from './brokerx.js';

/** More people sign in than passwords can be checked, while others trade. */
export const options = byRate({ rate: 200 });
export default mixed({ sign_in: 1, place: 1 });
