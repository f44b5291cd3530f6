export * from './api.ts';
export * from './eventStream.ts';
export * from './ids.ts';
