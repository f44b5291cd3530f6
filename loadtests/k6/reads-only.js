import { byRate, mixed } from './brokerx.js';

/** Wallets, holdings, orders, depth and tickers; nothing is changed. */
export const options = byRate({ rate: 1_500 });
export default mixed({ wallet: 3, holdings: 1, orders: 1, depth: 3, ticker: 2 });
