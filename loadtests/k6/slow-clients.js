import http from 'k6/http';
import { byRate, mixed, streamUrl, symbolOf } from './brokerx.js';

/**
 * Clients that open a stream, beside people who trade. k6 cannot stop reading a reply, so its slow clients give up after some
 * seconds and come back: those that read nothing at all are in `npm run load -- slow-clients`.
 */
const { scenarios } = byRate({ rate: 800 });
export const options = {
  scenarios: {
    ...scenarios,
    streams: {
      executor: 'constant-vus',
      vus: 40,
      duration: `${Number(__ENV.SECONDS || 60)}s`,
      exec: 'stream',
    },
  },
};
export default mixed({ place: 1 });

export function stream() {
  http.get(streamUrl(symbolOf({})), { timeout: '5s', tags: { name: 'stream' }, responseType: 'none' });
}
