import type { ScenarioFile } from './scenario.ts';

export const webSocket: ScenarioFile = {
  name: 'websocket',
  says: 'as `steady`, every order over the user’s WebSocket',
  drive: { by: 'rate', rate: 1_000, mix: { place_over_websocket: 1 } },
  seconds: 60,
  users: 100,
};
