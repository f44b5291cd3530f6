export * from './api.ts';
export * from './eventStream.ts';
export * from './followBook.ts';
export * from './ids.ts';
export * from './localBook.ts';
export * from './localOrders.ts';
export * from './positions.ts';
export * from './session.ts';
