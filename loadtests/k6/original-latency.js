import { byUsers, journey } from './brokerx.js';

/** The latency test of the original BrokerX; its order as in `original-browse.js`. */
const order = { symbol: 'AAPL', side: 'buy', qty: '10', type: 'limit', limit_price: __ENV.LIMIT || '1.00' };
export const options = byUsers(150);
export default journey(['place', 'place', 'place', 'place'], { restSeconds: 1, order });
