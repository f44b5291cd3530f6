export * from './api/commands.ts';
export * from './api/hotViews.ts';
export * from './api/orderColumns.ts';
export * from './api/orderView.ts';
export * from './api/streamProtocol.ts';
export * from './api/tradeView.ts';
export * as views from './api/views.ts';
export * as domains from './base/domains.ts';
export { canonicalEmail, comparableEmail, Email, mailboxOf } from './base/email.ts';
export * from './base/fee.ts';
export * from './base/feedTopic.ts';
export * from './base/ids.ts';
export * from './base/marketState.ts';
export * from './base/order.ts';
export * from './base/orderEntry.ts';
export {
  NewPassword,
  normalPassword,
  PASSWORD_CHARACTERS_MAX,
  PASSWORD_CHARACTERS_MIN,
} from './base/password.ts';
export * from './base/refusals.ts';
export * from './base/shards.ts';
export * from './base/storePosition.ts';
export * from './base/streams.ts';
export * from './base/time.ts';
export * from './base/topics.ts';
export * from './base/tradingSession.ts';
export * from './base/units.ts';
export * from './events/account.ts';
export * from './events/book.ts';
export * from './events/client.ts';
export * from './events/codec.ts';
export * from './events/envelope.ts';
export * from './events/events.ts';
export * from './events/market.ts';
export * from './events/orderList.ts';
export * from './events/placedOrders.ts';
export * from './events/sessionEnds.ts';
export * from './events/upcast.ts';
export * from './publicBook/publicBook.ts';
export * from './publicBook/publicLevels.ts';
