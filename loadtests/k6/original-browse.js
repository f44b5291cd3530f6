import { byUsers, journey } from './brokerx.js';

/**
 * The browsing load of the original BrokerX. Its order is `{direction: 'buy', quantity: 10, symbol: 'AAPL', limit: 1.00}`: the limit must
 * lie within AAPL's collar, so list AAPL at 1.05 (or say LIMIT). Holdings are read where it reads the client's own record.
 */
const order = { symbol: 'AAPL', side: 'buy', qty: '10', type: 'limit', limit_price: __ENV.LIMIT || '1.00' };
const reads = ['holdings', 'wallet', 'orders'];
export const options = byUsers(150);
export default journey([...reads, 'deposit', 'place', ...reads], { restSeconds: 1, order });
