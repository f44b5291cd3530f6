import { byRate, mixed } from './brokerx.js';

/** As `steady`, twenty orders in each request. */
export const options = byRate({ rate: 50 });
export default mixed({ batch: 1 });
